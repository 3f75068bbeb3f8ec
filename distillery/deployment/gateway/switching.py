"""Which backend answers, and how another takes its place."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from distillery.deployment.gateway import release as state
from distillery.deployment.gateway.backend import Backend, NotStartedError
from distillery.deployment.gateway.release import Current, Release

log = logging.getLogger(__name__)


class NothingAnswersError(Exception):
    """No backend is ready: one line with why."""


class Switch:
    """The backend that answers, and those that are being tried beside it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now: tuple[Backend, str] | None = None
        self._tried: list[Backend] = []
        self._changes = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._logs = 0

    @property
    def now(self) -> tuple[Release, str] | None:
        """What answers and since when; None where nothing does, nor will by itself."""
        if self._now is None or self._now[0].failure is not None:
            return None
        return self._now[0].release, self._now[1]

    @property
    def is_ready(self) -> bool:
        """Whether it answers this very moment: a backend may be starting again."""
        return self._now is not None and self._now[0].ready

    def tried(self, digest: str) -> Backend | None:
        """One that is being tried."""
        return next((b for b in self._tried if b.release.digest == digest and b.ready), None)

    async def answering(self, wait_seconds: float) -> Backend:
        """The one to ask; waited for while it starts.

        What is asked of it without an ``await`` between is never cut off by a switch. Raises
        ``NothingAnswersError``.
        """
        if self._now is not None and self._now[0].ready:
            return self._now[0]
        until = asyncio.get_running_loop().time() + wait_seconds
        while self._now is not None and self._now[0].failure is None:
            if self._now[0].ready:
                return self._now[0]
            self._changes.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._changes.wait()
            except TimeoutError:
                raise NothingAnswersError(
                    f"version {self._now[0].release.version} is starting; ask again in a moment"
                ) from None
        if self._now is None:
            raise NothingAnswersError("no version is deployed here")
        raise NothingAnswersError(f"{self._now[0].failure}; deploy again")

    async def resume(self) -> None:
        """Go on with what an earlier gateway served, if anything."""
        kept = state.current(self._folder)
        if kept is None:
            return
        backend = self._backend(kept.release)
        self._now = backend, kept.since
        try:
            await backend.start()
        except NotStartedError as error:
            log.error("%s", error)
            backend.failure = str(error)
            self._changes.set()

    async def try_out(self, release: Release) -> Backend:
        """Start it beside what answers. Raises ``NotStartedError``."""
        backend = self._backend(release)
        try:
            await backend.start()
        except BaseException:
            await backend.end()
            raise
        self._tried.append(backend)
        return backend

    async def drop(self, backend: Backend) -> None:
        """It was tried, and is not wanted."""
        if backend in self._tried:
            self._tried.remove(backend)
        await backend.end()

    def switch(self, backend: Backend) -> str:
        """It answers from now on; the one before ends once its last request is answered.

        Returns since when. Raises ``OSError`` where that cannot be written; nothing has changed.
        """
        since = datetime.now(UTC).isoformat(timespec="seconds")
        state.write_current(self._folder, Current(release=backend.release, since=since))
        self._tried.remove(backend)
        before, self._now = self._now, (backend, since)
        self._changes.set()
        log.info("version %s answers", backend.release.version)
        if before is not None:
            task = asyncio.create_task(before[0].retire())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return since

    async def end(self) -> None:
        """All of them."""
        for task in self._tasks:
            task.cancel()
        backends = [*self._tried, *([self._now[0]] if self._now else [])]
        await asyncio.gather(*(backend.end() for backend in backends), return_exceptions=True)

    def _backend(self, release: Release) -> Backend:
        self._logs += 1
        log_file = self._folder / f"backend-{self._logs % 4}.log"
        return Backend(release, log_file, self._changes.set)
