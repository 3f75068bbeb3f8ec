"""A team's servers for tests: the real stack, in a folder of its own, on free ports.

    def test_something(team: Team) -> None:
        team.stack.kill("mlflow")               # postgres, store, mlflow, prefect, worker
        team.stack.kill("worker", alone=True)   # its flow runs go on
        team.stack.restart("mlflow")
        status, run = team.prefect("POST", "/flow_runs/filter", {"limit": 1})
        team.run("check", "quickstart")         # the command line, with its env file

The fixture ``team`` lives for the session: leave every server running.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.stack import postgres
from infra.stack.settings import Ports
from infra.stack.stack import Stack

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Team:
    """The stack, and what someone who works with it does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        ports = dict(zip(Ports.model_fields, free_ports(len(Ports.model_fields)), strict=True))
        self.stack = Stack.at(folder / "storage" / "stack", self.said.append, **ports)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that uses this stack and nothing else."""
        ours = ("PREFECT", "MLFLOW", "AWS_", "DISTILLERY")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {
            **kept,
            **self.stack.settings.environment,
            "PREFECT_HOME": str(self.folder / "prefect"),
            "HF_HUB_OFFLINE": "1",
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """The command line of distillery, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            env=self.environment,
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=False,
        )

    def prefect(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Prefect's API, as its page calls it."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.stack.settings.environment["PREFECT_API_URL"] + path,
            data,
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def start_run(self, deployment: str, parameters: dict[str, Any]) -> Any:
        """A flow run of ``<flow>/<flow>``, as the Run form starts one."""
        status, found = self.prefect("GET", f"/deployments/name/{deployment}")
        assert status == 200, found
        status, flow_run = self.prefect(
            "POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters}
        )
        assert status == 201, flow_run
        return flow_run

    def eventually(self, ask: Callable[[], Any], *, within_s: float = 120) -> Any:
        """The first answer that is anything."""
        until = time.monotonic() + within_s
        while not (found := ask()):
            assert time.monotonic() < until, f"nothing within {within_s} s"
            time.sleep(0.5)
        return found

    def ended(self, flow_run_id: str, *, within_s: float = 300) -> Any:
        """The flow run, once it has ended."""
        until = time.monotonic() + within_s
        while True:
            _, flow_run = self.prefect("GET", f"/flow_runs/{flow_run_id}")
            if flow_run["state"]["type"] in ENDED:
                return flow_run
            assert time.monotonic() < until, flow_run["state"]
            time.sleep(0.5)


@contextmanager
def running_team() -> Iterator[Team]:
    """Started, and ended with everything it kept. Skips where PostgreSQL is not to be had."""
    if postgres.binaries() is None and os.geteuid() != 0:
        pytest.skip("PostgreSQL is not installed, and only root may install it")
    # not pytest's own folder: the user postgres may not enter that
    folder = Path(tempfile.mkdtemp(prefix="distillery-team-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        team = Team(folder)
        stack.callback(team.stack.stop)
        team.stack.start()
        yield team


def free_ports(number: int) -> list[int]:
    """Different ones, all held until all are known."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
