"""Locks between the processes of a machine. The system keeps them: whoever dies lets go."""

import fcntl
import logging
import os
import time
from pathlib import Path
from types import TracebackType

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.1


class FileLock:
    """Of the file at ``path``, which stays; one at a time holds it. ``waiting`` is told, once, by
    whoever has to wait.
    """

    def __init__(self, path: Path, waiting: str = "") -> None:
        self._path, self._waiting = path, waiting
        self._file: int | None = None

    def take(self, within_s: float | None = None) -> bool:
        """Whether it is ours within so many seconds; for good, without any."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = _opened(self._path)
        try:
            if _locked(file, within_s, self._waiting):
                self._file, file = file, -1
        finally:
            if file >= 0:
                os.close(file)
        return self._file is not None

    def let_go(self) -> None:
        """Somebody else's turn. Repeatable."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> None:
        self.take()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.let_go()


def _opened(path: Path) -> int:
    try:
        # another user's file can be read, and that is all that a lock needs
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)


def _locked(file: int, within_s: float | None, waiting: str) -> bool:
    """Looked at again and again, and not waited for in the system, so that a signal ends it."""
    until = None if within_s is None else time.monotonic() + within_s
    told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if until is not None and time.monotonic() >= until:
                return False
            if waiting and not told:
                log.info(waiting)
                told = True
            time.sleep(_LOOK_SECONDS)
        else:
            return True
