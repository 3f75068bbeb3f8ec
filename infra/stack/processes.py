"""A server as a process that outlives whoever started it, and is found again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

_BECOME = str(Path(__file__).parent / "become.py")
_GRACE_SECONDS = 20
_POLL_SECONDS = 0.05


class Managed:
    """One process, known by the note it left: its id, and when it started."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.note = folder / "run" / f"{name}.json"
        self.log = folder / "logs" / f"{name}.log"
        # kept until it ends, so that it can be reaped where its starter lives on
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, command: tuple[str, ...], environment: Mapping[str, str], user: str) -> None:
        """In a session of its own, so that a Ctrl-C here is not for it; lines go to its log."""
        self.note.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.note.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, _BECOME, str(self.note), user, *command],
                env=dict(environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def process(self) -> psutil.Process | None:
        """The living process that left the note, or None."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        try:
            known = json.loads(self.note.read_text(encoding="utf-8"))
            process = psutil.Process(known["pid"])
            # another one may have been given the same id since
            same = abs(process.create_time() - known["started"]) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None

    @property
    def since(self) -> float | None:
        """When the living process started, in s since the epoch."""
        process = self.process
        return process.create_time() if process else None

    @property
    def is_starting(self) -> bool:
        """Started by us, and not come so far that it left its note."""
        return self._child is not None and self._child.poll() is None

    def stop(self, first: signal.Signals) -> bool:
        """End it and all it started: first asked, then not. Returns whether it was there."""
        while self.process is None and self.is_starting:
            time.sleep(_POLL_SECONDS)
        process = self.process
        if process is None:
            self.note.unlink(missing_ok=True)
            return False
        family = [process, *_below(process)]
        with suppress(psutil.NoSuchProcess):
            process.send_signal(first)
        _wait([process], _GRACE_SECONDS)
        # what it started may have had children of its own since
        family += [one for member in family for one in _below(member) if one not in family]
        left = [one for one in family if _lives(one)]
        for one in left:
            with suppress(psutil.NoSuchProcess):
                one.terminate()
        _wait(left, _GRACE_SECONDS / 2)
        _kill(left)
        self.note.unlink(missing_ok=True)
        return True

    def kill(self, *, alone: bool = False) -> None:
        """SIGKILL for it and all it started at once, as when the power fails; or for it alone."""
        process = self.process
        if process is not None:
            _kill([process, *([] if alone else _below(process))])

    def last_words(self) -> str:
        """The last line it said that holds anything."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")[-20_000:]
        except FileNotFoundError:
            return "it said nothing"
        said = [line.strip() for line in text.splitlines() if line.strip()]
        return said[-1][:200] if said else "it said nothing"


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    """A zombie is dead, though whoever should reap it has not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    until = time.monotonic() + seconds
    while any(map(_lives, processes)) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if _lives(process):
                os.kill(process.pid, signal.SIGKILL)
    _wait(processes, _GRACE_SECONDS)
