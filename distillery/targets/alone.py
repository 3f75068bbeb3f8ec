"""One measuring at a time on a machine, whoever it is for: two would time each other."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

# the machine's, whatever storage and servers a run has
_LOCK = Path(tempfile.gettempdir()) / "distillery-measuring.lock"


@contextmanager
def machine_to_oneself(lock: Path = _LOCK) -> Iterator[None]:
    """Wait until nobody else measures here. A process that dies lets go: the system sees to it."""
    try:
        file = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        file = os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting until another benchmark on this machine has ended")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
