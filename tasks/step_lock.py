"""A step by one process at a time on this machine: whoever comes second takes its result.

Two runs of one recipe would otherwise work in the same folder at once. Prefect's own lock manager
over files knows no death: what a killed process held would stay taken.
"""

import asyncio
import os

from distillery import digests, storage
from distillery.file_lock import FileLock


class StepLock:
    """Prefect's ``LockManager``: held by processes, in which steps run one after the other."""

    def __init__(self) -> None:
        self._held: dict[str, FileLock] = {}

    def acquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """Whether it is ours within ``acquire_timeout`` seconds; for good, without one."""
        if key not in self._held:
            lock = _lock(key)
            if not lock.take(acquire_timeout):
                return False
            self._held[key] = lock
        return True

    def release_lock(self, key: str, holder: str) -> None:
        """Nothing where it is not ours."""
        if key in self._held:
            self._held.pop(key).let_go()

    def is_locked(self, key: str) -> bool:
        """By whomever."""
        return key in self._held or not self.wait_for_lock(key, 0)

    def is_lock_holder(self, key: str, holder: str) -> bool:
        """Whether this process has it."""
        return key in self._held

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """Whether nobody else has it, within so many seconds."""
        if key in self._held:
            return True
        lock = _lock(key)
        is_free = lock.take(timeout)
        lock.let_go()
        return is_free

    async def aacquire_lock(
        self,
        key: str,
        holder: str,
        acquire_timeout: float | None = None,
        hold_timeout: float | None = None,
    ) -> bool:
        """As ``acquire_lock``."""
        return await asyncio.to_thread(self.acquire_lock, key, holder, acquire_timeout)

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:
        """As ``wait_for_lock``."""
        return await asyncio.to_thread(self.wait_for_lock, key, timeout)


def _lock(key: str) -> FileLock:
    return FileLock(
        storage.root() / "locks" / f"{digests.of_json(key)[:24]}.lock",
        waiting=f"{os.path.basename(key)} is at work elsewhere; waiting for its result",
    )
