"""A gateway as a process of its own, started and found again."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from distillery import provenance
from distillery.deployment.gateway.release import Running, running_path

_PACKAGE_ROOT = Path(__file__).parent.parent.parent.parent
_START_SECONDS = 60
_POLL_SECONDS = 0.02


class NotListeningError(Exception):
    """The gateway does not listen: one line with why."""


def start(
    folder: Path,
    port: int,
    *,
    environment: Mapping[str, str],
    log_file: Path | None,
    host: str = "127.0.0.1",
) -> "tuple[Running, subprocess.Popen[bytes]]":
    """It listens, goes on with what ``folder`` says, and outlives this process.

    ``log_file``: None for our own stderr.     Raises ``NotListeningError``.
    """
    with contextlib.nullcontext() if log_file is None else log_file.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "distillery.deployment.gateway"),
                *(str(folder), "--port", str(port), "--host", host),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=_PACKAGE_ROOT,  # found wherever we were started
            env=environment,
            start_new_session=True,
        )
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        running = living(running_path(folder, port))
        if running is not None:
            return running, process
        if process.poll() is not None:
            break
        time.sleep(_POLL_SECONDS)
    process.kill()
    process.wait()
    text = log_file.read_text(encoding="utf-8", errors="replace") if log_file else ""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    raise NotListeningError(said[-1][:300] if said else "the gateway did not start")


def read(place: Path) -> Running | None:
    """What a gateway said of itself, living or not."""
    try:
        return Running.model_validate_json(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def living(place: Path) -> Running | None:
    """The same, where its process is still there."""
    running = read(place)
    if running is None or provenance.living(running.process) is None:
        return None
    return running
