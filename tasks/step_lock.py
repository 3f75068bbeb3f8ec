"""A step by one process at a time on this machine: whoever comes second takes its result.

Two runs of one recipe would otherwise work in the same folder at once. The lock is the system's, so
that a process that is killed lets go, which files of Prefect's own lock manager would not.
"""

import asyncio
import fcntl
import logging
import os
import time

from distillery import digests, storage

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2


class StepLock:
    """Prefect's ``LockManager``: held by processes, in which steps run one after the other."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Whether it is ours within ``acquire_timeout`` seconds; for good, without one."""
        del holder, hold_timeout
        if key in self._held:
            return True
        file = _opened(key)
        if not _locked(file, acquire_timeout, f"{os.path.basename(key)} is at work elsewhere"):
            os.close(file)
            return False
        self._held[key] = file
        return True

    def release_lock(self, key: str, holder: str) -> None:
        """Nothing where it is not ours."""
        del holder
        file = self._held.pop(key, None)
        if file is not None:
            os.close(file)

    def is_locked(self, key: str) -> bool:
        """By whomever."""
        return key in self._held or not self.wait_for_lock(key, 0)

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Whether this process has it."""
        del holder
        return key in self._held

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Whether nobody else has it, within so many seconds."""
        if key in self._held:
            return True
        file = _opened(key)
        try:
            return _locked(file, timeout, f"{os.path.basename(key)} is at work elsewhere")
        finally:
            os.close(file)

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """As ``acquire_lock``."""
        return await asyncio.to_thread(
            self.acquire_lock, key, holder, acquire_timeout, hold_timeout
        )

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """As ``wait_for_lock``."""
        return await asyncio.to_thread(self.wait_for_lock, key, timeout)


def _opened(key: str) -> int:
    folder = storage.root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / f"{digests.of_json(key)[:24]}.lock", os.O_RDONLY | os.O_CREAT, 0o644)


def _locked(file: int, timeout: float | None, why: str) -> bool:
    """Looked at again and again, and not waited for in the system, so that a signal ends it."""
    until = None if timeout is None else time.monotonic() + timeout
    told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if until is not None and time.monotonic() >= until:
                return False
            if not told:
                log.info("%s; waiting for its result", why)
                told = True
            time.sleep(_LOOK_SECONDS)
        else:
            return True
