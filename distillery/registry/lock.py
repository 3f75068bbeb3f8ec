"""One decision about a model at a time, on this machine."""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from distillery import digests, storage

log = logging.getLogger(__name__)


@contextmanager
def only_one(model: str) -> Iterator[None]:
    """Wait until nobody else decides about this model. A process that dies lets go.

    Between machines it is Prefect that waits: see ``tasks/one_decision.py``.
    """
    with _file(digests.of_json(model)[:24]) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another decision about %s", model)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def unless_taken(work: str) -> Iterator[bool]:
    """Whether nobody else is at this work; then nobody is until this ends."""
    with _file(work) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def _file(name: str) -> Iterator[BinaryIO]:
    folder = storage.ready() / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("wb") as file:
        yield file
