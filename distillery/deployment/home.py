"""What the place ``local`` keeps of one model, and the process that answers for it.

serving/<model>/
    lock                   held by whoever deploys; gone with its process
    current.json           what answers
    gateway-<port>.json    the gateway's process
    versions/              downloaded, the one that answers alone
    gateway.log  backend-N.log
"""

import contextlib
import os
import shutil
import threading
import urllib.parse
from pathlib import Path

import psutil

from distillery import provenance, storage
from distillery.deployment.base import DeploymentError
from distillery.deployment.gateway import release as state
from distillery.deployment.gateway import starting
from distillery.deployment.gateway.environment import without_secrets
from distillery.deployment.gateway.release import Running
from distillery.deployment.gateway.starting import NotListeningError
from distillery.errors import UserError
from distillery.file_lock import FileLock

_END_SECONDS = 90


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
            running = starting.living(place)
            if running is not None:
                return running
        return None

    @property
    def versions(self) -> Path:
        """Where versions are downloaded to."""
        return self.folder / "versions"

    def locked(self) -> FileLock:
        """One deployment at a time; the others wait."""
        storage.ready()
        return FileLock(self.folder / "lock")

    def gateway(self, port: int) -> Running | None:
        """The one that listens there, where it lives."""
        return starting.living(state.running_path(self.folder, port))

    def start_gateway(self, port: int) -> Running:
        """A process that outlives this one. It goes on with what was served before.

        Raises ``UserError`` where the port is taken.
        """
        _end(state.running_path(self.folder, port))  # what a killed one left
        log_file = self.folder / "gateway.log"
        try:
            running, process = starting.start(
                self.folder, port, environment=without_secrets(os.environ), log_file=log_file
            )
        except NotListeningError as error:
            if "taken" in str(error):
                raise UserError(f"deploy: {error}; choose another deploy.port") from error
            raise DeploymentError(str(error)) from error
        # should it end before us, it is not left a zombie
        threading.Thread(target=process.wait, daemon=True).start()
        return running

    def ports(self) -> set[int]:
        """Of the gateways that live; more than one only while a model moves to another port."""
        found = (starting.living(place) for place in self.folder.glob("gateway-*.json"))
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


def _end(place: Path) -> None:
    """A gateway, by what it said of itself; and what it left where it was killed."""
    running = starting.read(place)
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
