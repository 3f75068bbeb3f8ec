"""Starts the servers in order, waits for each, and ends exactly those."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from distillery import storage
from distillery.errors import UserError
from distillery.file_lock import FileLock
from infra.stack import buckets, postgres
from infra.stack.processes import Managed
from infra.stack.services import Service, environment, services
from infra.stack.settings import Ports, Settings, load

_READY_SECONDS = 180  # on an idle machine all are up in 40; a busy one is given time
_POLL_SECONDS = 0.1
Say = Callable[[str], None]


class Stack:
    """The servers of one folder. Everything about them lies there; nothing is in this object."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self.settings = settings
        self.services = services(settings)
        self._say = say
        self._managed = {name: Managed(name, settings.folder) for name in self.services}

    @classmethod
    def at(cls, folder: Path, say: Say, **ports: int | None) -> "Stack":
        """The stack of this folder, made where there is none. ``ports`` left None stay as they are.

        Raises ``UserError`` where ports are to change while it runs, or PostgreSQL is missing.
        """
        storage.make_writable(folder, "the stack's", "set DISTILLERY_STORAGE to another folder")
        folder.chmod(0o711)  # postgres passes through, and sees nothing
        postgres.installed()
        known = load(folder)
        chosen = {name: port for name, port in ports.items() if port is not None}
        settings = known or Settings(folder=folder)
        moved = settings.model_copy(
            update={"ports": Ports(**{**settings.ports.model_dump(), **chosen})}
        )
        if known is not None and moved.ports != known.ports and cls(known, say).running():
            raise UserError("the stack runs, on other ports; `make stack-stop` first")
        moved.write()
        return cls(moved, say)

    def start(self) -> None:
        """All of them, those that run already left alone; ready when it returns.

        Raises ``UserError`` where one does not start; what this call started is ended again.
        """
        with self._alone():
            before = set(self.running())
            try:
                self._refuse_taken_ports()
                postgres.make(self.settings, postgres.data_folder(self.settings.folder))
                self._launch("postgres", "store")
                self._ready("postgres", "store")
                buckets.make(self.settings.environment)
                self._launch("mlflow", "prefect")
                self._ready("prefect")
                self._deploy_flows()
                self._ready("mlflow")
                self._launch("worker", "receiver")
                self._register_webhook()
                self._ready("worker", "receiver")
            except BaseException:
                for name in reversed(list(self.services)):
                    if name not in before:
                        self._stop(name)
                raise

    def stop(self) -> list[str]:
        """Ends what runs of it, and what that started. Returns the names of those that ran."""
        with self._alone():
            return [name for name in reversed(list(self.services)) if self._stop(name)]

    def running(self) -> list[str]:
        """The names of those whose process lives."""
        return [name for name, one in self._managed.items() if one.process is not None]

    def kill(self, name: str, *, alone: bool = False) -> None:
        """SIGKILL for one and all it started; or for it alone: a worker's flow runs go on."""
        self._managed[name].kill(alone=alone)

    def restart(self, name: str) -> None:
        """Start one again, ended first where it runs; it answers when this returns."""
        self._stop(name)
        self._launch(name)
        self._ready(name)

    def log(self, name: str) -> Path:
        """Where one's lines are."""
        return self._managed[name].log

    def pid(self, name: str) -> int | None:
        """The process id of one that runs."""
        process = self._managed[name].process
        return process.pid if process else None

    def _stop(self, name: str) -> bool:
        return self._managed[name].stop(self.services[name].first_signal)

    def _launch(self, *names: str) -> None:
        for name in names:
            service = self.services[name]
            if self._managed[name].process is None:
                self._managed[name].start(service.command, service.environment, service.user)

    def _ready(self, *names: str) -> None:
        for name in names:
            service, process, began = self.services[name], self._managed[name], time.monotonic()
            while (since := process.since) is None or not service.answers(since):
                gone = since is None and not process.is_starting
                if gone or time.monotonic() > began + _READY_SECONDS:
                    why = process.last_words() if gone else f"no answer in {_READY_SECONDS} s"
                    raise UserError(
                        f"{service.title} did not start: {why}; its lines are in {process.log}"
                    )
                time.sleep(_POLL_SECONDS)
            where = f"127.0.0.1:{service.port}" if service.port else f"process {self.pid(name)}"
            self._say(f"{service.title:<11} ready  {where}")

    def _refuse_taken_ports(self) -> None:
        running = self.running()
        for service in self.services.values():
            if service.port is not None and service.name not in running:
                _refuse_taken(service)

    def _deploy_flows(self) -> None:
        self._tell("the flows could not be deployed", "deploy-flows")
        self._say("Flows       deployed")

    def _register_webhook(self) -> None:
        where = f"{self.settings.receiver_address}/"
        self._tell("MLflow was told of no webhook", "receive-webhooks", "--register", where)

    def _tell(self, failure: str, command: str, *options: str) -> None:
        """The servers, by distillery's own command line."""
        log = self.settings.folder / "logs" / f"{command}.log"
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", command, *options],
            env=environment(self.settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()] or [""]
            raise UserError(f"{failure}: {said[-1][:300]}; see {log}")

    def _alone(self) -> FileLock:
        """One start or stop at a time; a second waits."""
        return FileLock(self.settings.folder / "lock")


def _refuse_taken(service: Service) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", service.port))
        except OSError as error:
            raise UserError(
                f"port {service.port} for {service.title} is taken; end what runs there, or choose "
                f'another: make stack STACK="--{service.name}-port …"'
            ) from error
