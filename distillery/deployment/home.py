"""What the place ``local`` keeps of one model, and the process that answers for it.

    serving/<model>/
        lock                   held by whoever deploys; gone with its process
        current.json           what answers
        gateway-<port>.json    the gateway's process
        versions/              downloaded, the one that answers alone
        gateway.log  backend-N.log
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import psutil

from distillery import provenance, storage
from distillery.deployment.base import DeploymentError
from distillery.deployment.gateway import release as state
from distillery.deployment.gateway.environment import without_secrets
from distillery.deployment.gateway.release import Running
from distillery.errors import UserError

_PACKAGE_ROOT = Path(__file__).parent.parent.parent
_START_SECONDS = 60
_END_SECONDS = 90
_POLL_SECONDS = 0.02


class Home:
    """One model's folder under the storage root."""

    def __init__(self, model: str) -> None:
        # a model may be called anything; its folder may not
        name = urllib.parse.quote(model, safe=" ")
        self.folder = storage.root() / "serving" / name.replace(".", "%2E", name.startswith("."))

    @classmethod
    def on_port(cls, port: int) -> Running | None:
        """The gateway of whichever model listens there, of this storage."""
        for place in (storage.root() / "serving").glob(f"*/gateway-{port}.json"):
            running = _living(place)
            if running is not None:
                return running
        return None

    @property
    def versions(self) -> Path:
        """Where versions are downloaded to."""
        return self.folder / "versions"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One deployment at a time; the others wait."""
        storage.ready()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def gateway(self, port: int) -> Running | None:
        """The one that listens there, where it lives."""
        return _living(state.running_path(self.folder, port))

    def start_gateway(self, port: int) -> Running:
        """A process that outlives this one. It goes on with what was served before.

        Raises ``UserError`` where the port is taken.
        """
        with (self.folder / "gateway.log").open("ab") as output:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "distillery.deployment.gateway"),
                    *(str(self.folder), "--port", str(port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=_PACKAGE_ROOT,  # found wherever we were started
                env=without_secrets(os.environ),
                start_new_session=True,
            )
        # should it end before us, it is not left a zombie
        threading.Thread(target=process.wait, daemon=True).start()
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            running = self.gateway(port)
            if running is not None:
                return running
            if process.returncode is not None:
                break
            time.sleep(_POLL_SECONDS)
        else:
            process.kill()
        words = self._last_words()
        if "taken" in words:
            raise UserError(f"deploy: {words}; choose another deploy.port")
        raise DeploymentError(f"the gateway did not start: {words}")

    def ports(self) -> set[int]:
        """Of the gateways that live; more than one only while a model moves to another port."""
        found = (_living(place) for place in self.folder.glob("gateway-*.json"))
        return {running.port for running in found if running is not None}

    def tidy(self, ports: set[int]) -> None:
        """Only what answers, on these ports, and its files are kept; for whoever has the lock."""
        now = state.current(self.folder)
        kept = now.release.folder if now else ""
        for place in self.versions.glob("*"):
            if str(place) != kept:
                shutil.rmtree(place, ignore_errors=True)
        wanted = {state.running_path(self.folder, port) for port in ports if now is not None}
        for place in self.folder.glob("gateway-*.json"):
            if place not in wanted:
                _end(place)

    def clear(self) -> None:
        """Nothing answers, and nothing is left but the lock, which is held."""
        for place in self.folder.glob("gateway-*.json"):
            _end(place)
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()

    def _last_words(self) -> str:
        text = (self.folder / "gateway.log").read_text(encoding="utf-8", errors="replace")
        said = [line.strip() for line in text.splitlines() if line.strip()]
        return said[-1][:300] if said else "it said nothing"


def _read(place: Path) -> Running | None:
    try:
        return Running.model_validate_json(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _living(place: Path) -> Running | None:
    running = _read(place)
    if running is None or provenance.living(running.process) is None:
        return None
    return running


def _end(place: Path) -> None:
    """A gateway, by what it said of itself; and what it left where it was killed."""
    running = _read(place)
    if running is None:
        return
    process = provenance.living(running.process)
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
    shutil.rmtree(os.path.dirname(running.control), ignore_errors=True)
    place.unlink(missing_ok=True)
