"""A version in a process of its own, started again when it dies."""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable
from pathlib import Path

from distillery import digests
from distillery.deployment.gateway.connections import Answer, Connections
from distillery.deployment.gateway.environment import without_secrets
from distillery.deployment.gateway.release import Release

log = logging.getLogger(__name__)

_START_SECONDS = 120
_END_SECONDS = 5
_ANSWER_SECONDS = 60
_RESTARTS, _RESTARTS_WITHIN_SECONDS = 5, 300
_FIRST_PAUSE_SECONDS = 0.1


class NotStartedError(Exception):
    """It does not answer: one line with why."""


class Backend:
    """MLflow's scoring server over one release. ``on_change`` is called as ``ready`` changes."""

    def __init__(self, release: Release, log_file: Path, on_change: Callable[[], None]) -> None:
        self.release = release
        self.ready = False
        self.failure: str | None = None  # why it is not started again
        self._log_file = log_file
        self._on_change = on_change
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._process: Process | None = None
        self._connections: Connections | None = None
        self._supervision: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once it answers; from then on it is kept running.

        Raises ``NotStartedError`` with its last words.
        """
        await self._launch()
        self._supervision = asyncio.create_task(self._supervise())

    async def ask(self, body: bytes, content_type: str) -> Answer:
        """What the scoring server answers.

        Raises ``NotSeenError`` where it is not there, ``CutOffError`` where it ends meanwhile, and
        ``TimeoutError``.
        """
        assert self._connections is not None, "it is ready"
        self._in_flight += 1
        self._idle.clear()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS + 5):
                return await self._connections.post("/invocations", body, content_type)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def retire(self) -> None:
        """End it once its last request is answered."""
        await self._idle.wait()
        await self.end()

    async def end(self) -> None:
        """End it now. Repeatable."""
        if self._supervision is not None:
            self._supervision.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervision
        self._set(ready=False)
        await self._end_process()
        if self._connections is not None:
            self._connections.close()

    async def _launch(self) -> None:
        await asyncio.to_thread(self._verify)
        # by its path: see there
        script = str(Path(__file__).parent / "scoring.py")
        with self._log_file.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", script),
                stdin=PIPE,
                stdout=PIPE,
                stderr=output,
                cwd=self.release.folder,
                env=_environment(self.release.folder),
                start_new_session=True,  # Ctrl-C is for the gateway, which ends it in turn
            )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _START_SECONDS)
        except TimeoutError:
            line = b""
        if not line:
            await self._end_process()
            raise NotStartedError(
                f"version {self.release.version} does not start: {self._last_words()}"
            )
        if self._connections is not None:
            self._connections.close()
        self._connections = Connections(json.loads(line)["port"])
        self._set(ready=True)

    def _verify(self) -> None:
        """It answers with the registered bytes, or not at all."""
        try:
            found = digests.of_folder(self.release.candidate)
        except OSError as error:
            raise NotStartedError(f"version {self.release.version}: {error}") from error
        if found != self.release.digest:
            raise NotStartedError(
                f"version {self.release.version} is damaged: {self.release.candidate} hashes to "
                f"{found[:12]}, registered was {self.release.digest[:12]}"
            )

    async def _supervise(self) -> None:
        deaths: deque[float] = deque(maxlen=_RESTARTS)
        pause = _FIRST_PAUSE_SECONDS
        while True:
            assert self._process is not None, "launched"
            status = await self._process.wait()
            self._set(ready=False)
            log.warning(
                "version %s ended with status %d: %s",
                *(self.release.version, status, self._last_words()),
            )
            now = time.monotonic()
            recent = [one for one in deaths if one > now - _RESTARTS_WITHIN_SECONDS]
            if len(recent) == _RESTARTS:
                self.failure = (
                    f"version {self.release.version} ended {_RESTARTS + 1} times and is not "
                    f"started again: {self._last_words()}"
                )
                log.error("%s", self.failure)
                self._on_change()
                return
            deaths.append(now)
            pause = _FIRST_PAUSE_SECONDS if not recent else min(2 * pause, 5)
            await asyncio.sleep(pause)
            try:
                await self._launch()
            except NotStartedError as error:
                log.warning("%s", error)

    async def _end_process(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _set(self, *, ready: bool) -> None:
        self.ready = ready
        self._on_change()

    def _last_words(self) -> str:
        try:
            lines = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:300] if said else "it said nothing"


def _environment(folder: str) -> dict[str, str]:
    return {
        **without_secrets(os.environ),
        "__pyfunc_model_path__": folder,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT": str(_ANSWER_SECONDS),
    }
