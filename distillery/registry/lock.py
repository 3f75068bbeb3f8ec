"""One decision about a model at a time, on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from distillery import digests, storage
from distillery.file_lock import FileLock


def only_one(model: str) -> FileLock:
    """Wait until nobody else decides about this model. A process that dies lets go.

    Between machines it is Prefect that waits: see ``tasks/one_decision.py``.
    """
    return _lock(digests.of_json(model)[:24], f"waiting for another decision about {model}")


@contextmanager
def unless_taken(work: str) -> Iterator[bool]:
    """Whether nobody else is at this work; then nobody is until this ends."""
    lock = _lock(work)
    try:
        yield lock.take(0)
    finally:
        lock.let_go()


def _lock(name: str, waiting: str = "") -> FileLock:
    return FileLock(storage.ready() / "locks" / f"{name}.lock", waiting)
