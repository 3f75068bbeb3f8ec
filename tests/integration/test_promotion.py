"""Aliases moved as people move them, between real servers: MLflow's webhook, the receiver, a
reconcile run by a worker; the command line; and what is left when processes are killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from machine import Home
from mlflow import MlflowClient
from mlflow.webhooks import delivery as mlflows
from registry.store import Model, Registry

from distillery import heartbeat, tracking

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_BIN = Path(sys.executable).parent
_SECRET = "a secret that is long enough"
_PREFECT_YAML = """
deployments:
  - name: reconcile
    entrypoint: flows.reconcile:reconcile
    work_pool: {name: distillery}
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Team:
    """An MLflow server, a Prefect server with a worker, and the receiver between them."""

    def __init__(self, home: Home) -> None:
        self.folder = home.folder
        self.mlflow, self.prefect, self.receiver = (
            f"http://127.0.0.1:{_free_port()}" for _ in range(3)
        )
        self.environment = {
            **home.environment,
            "PREFECT_API_URL": f"{self.prefect}/api",
            # found by the worker's processes too
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "MLFLOW_TRACKING_URI": self.mlflow,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            "DISTILLERY_WEBHOOK_SECRET": _SECRET,
        }
        self.log = (home.folder / "team.log").open("wb")
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        port = self.mlflow.rsplit(":", 1)[1]
        store = f"sqlite:///{self.folder / 'server.db'}"
        self.background(
            *f"mlflow server --host 127.0.0.1 --port {port} --workers 1".split(),
            *["--backend-store-uri", store],
            *["--artifacts-destination", str(self.folder / "mlartifacts")],
        )
        port = self.prefect.rsplit(":", 1)[1]
        self.background(*f"prefect server start --host 127.0.0.1 --port {port} --no-ui".split())
        self.wait_for(f"{self.prefect}/api/health")
        self.run("prefect", "--no-prompt", "work-pool", "create", "distillery", "--type", "process")
        (self.folder / "prefect.yaml").write_text(_PREFECT_YAML)
        self.run("prefect", "--no-prompt", "deploy", "--all")
        self.background("prefect", "worker", "start", "--pool", "distillery")
        self.background("distillery", "receive-webhooks", "--port", self.receiver.rsplit(":", 1)[1])
        self.wait_for(f"{self.mlflow}/health")
        self.wait_for(f"{self.receiver}/health")
        for _ in range(2):  # repeatable
            self.run("distillery", "receive-webhooks", "--register", f"{self.receiver}/")

    def background(self, command: str, *arguments: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [str(_BIN / command), *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def run(
        self, command: str, *arguments: str, code: int = 0, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [str(_BIN / command), *arguments],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == code, done.stderr[-3000:]
        return done

    def wait_for(self, url: str) -> None:
        def answers() -> bool:
            with suppress(OSError), urllib.request.urlopen(url, timeout=2):
                return True
            return False

        eventually(answers, 120)

    def ask(self, path: str, body: object) -> Any:
        request = urllib.request.Request(
            f"{self.prefect}/api{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def reconcile_runs(self) -> list[dict[str, Any]]:
        found = self.ask("/flow_runs/filter", {"flows": {"name": {"any_": ["reconcile"]}}})
        return [run for run in found if run["deployment_id"] is not None]

    def deliver(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            request = urllib.request.Request(self.receiver, body, headers)
            with urllib.request.urlopen(request, timeout=30) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    def stop(self) -> None:
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.log.close()


def eventually(holds: Callable[[], object], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    team = Team(Home(folder=tmp_path_factory.mktemp("team")))
    try:
        team.start()
        yield team
    finally:
        team.stop()


@pytest.fixture(scope="module")
def models(team: Team) -> Iterator[Registry]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLERY_STORAGE", str(team.folder / "storage"))
        patch.setenv("MLFLOW_TRACKING_URI", team.mlflow)
        made = Registry(root=team.folder)
        made.fill()
        yield made


@pytest.fixture
def model(models: Registry) -> Model:
    tracking.connect()
    return models.model(served=False)


def test_an_alias_moved_on_mlflows_page_is_decided(team: Team, model: Model) -> None:
    before = len(team.reconcile_runs())
    model.move(1)
    eventually(lambda: model.told(1)[0] == "accepted", 120)
    assert model.told(1)[1] == "MLflow registry"
    assert len(team.reconcile_runs()) > before
    decided_by = tracking.tags_of(model.version(1))["distillery.decision_flow_run_id"]
    assert decided_by in {run["id"] for run in team.reconcile_runs()}
    model.move(4)
    eventually(lambda: model.aliases() == {"champion": "1"}, 120)
    assert model.told(4) == ("refused", "MLflow registry", "speed-up 2.0× < 3.0×")


def test_what_is_forged_stale_or_repeated_starts_nothing(team: Team, model: Model) -> None:
    data = {"name": model.name, "alias": "champion", "version": "1"}
    said = {"entity": "model_version_alias", "action": "created", "data": data}
    body = json.dumps(said).encode()

    def headers(secret: str = _SECRET, age_seconds: int = 0) -> dict[str, str]:
        delivery_id, timestamp = str(uuid.uuid4()), str(int(time.time()) - age_seconds)
        return {
            "Content-Type": "application/json",
            "X-MLflow-Delivery-Id": delivery_id,
            "X-MLflow-Timestamp": timestamp,
            "X-MLflow-Signature": mlflows._generate_hmac_signature(
                secret, delivery_id, timestamp, body.decode()
            ),
        }

    genuine = headers()
    assert team.deliver(body, genuine) == 202
    runs = len(team.reconcile_runs())
    assert team.deliver(body, genuine) == 409
    assert team.deliver(body, headers("not the secret of these servers")) == 401
    assert team.deliver(body, headers(age_seconds=600)) == 401
    assert team.deliver(body, {"Content-Type": "application/json"}) == 401
    assert len(team.reconcile_runs()) == runs


def test_the_command_line_promotes_refuses_and_rolls_back(team: Team, model: Model) -> None:
    done = team.run("distillery", "promote", model.name, "1", "--json")
    assert json.loads(done.stdout)["outcome"] == "accepted"
    team.run("distillery", "promote", model.name, "2")
    by = model.told(2)[1]
    assert by is not None
    assert by.endswith(f"@{socket.gethostname()}")
    refused = team.run("distillery", "promote", model.name, "4", code=2)
    assert f"{model.name} version 4 is refused: speed-up 2.0× < 3.0×" in " ".join(
        refused.stderr.split()
    )
    assert "Traceback" not in refused.stderr
    for _ in range(2):
        team.run("distillery", "rollback", model.name)
        assert model.aliases() == {"champion": "1", "previous": "1"}
    done = team.run("distillery", "deploy", model.name)
    assert "is champion already" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["promote", "nobody", "1"], "there is no registered model 'nobody'"),
        (["deploy", "origin"], "the registered model 'origin' has no gates"),
        (["promote", "MODEL", "99"], "no registered model 'models:/"),
        (["rollback", "MODEL"], "has no version before its champion"),
    ],
)
def test_each_mistake_is_one_line(
    team: Team, model: Model, arguments: list[str], expected: str
) -> None:
    named = [model.name if one == "MODEL" else one for one in arguments]
    done = team.run("distillery", *named, code=2)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert expected in lines[0]


def test_a_decision_waits_for_another_machines(team: Team, model: Model) -> None:
    """Two storages are two machines: only Prefect's limit is between them."""
    processes = [
        subprocess.Popen(
            [str(_BIN / "distillery"), "promote", model.name, "2", "--json"],
            env={**team.environment, "DISTILLERY_STORAGE": str(team.folder / f"machine-{number}")},
            cwd=team.folder,
            stdout=subprocess.PIPE,
            stderr=team.log,
            text=True,
        )
        for number in (1, 2)
    ]
    said = [json.loads(process.communicate(timeout=180)[0]) for process in processes]
    assert sorted(one["outcome"] for one in said) == ["accepted", "unchanged"]


_LOST = """
import os, signal, prefect, prefect.runtime
from distillery import tracking
from tasks.ownership import sign

@prefect.flow(name="lost", persist_result=False)
def lost():
    sign()
    tracking.connect()
    tracking.open_flow_run("lost", str(prefect.runtime.flow_run.id), {})
    print(prefect.runtime.flow_run.id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

lost()
"""


def _beat(run_id: str) -> bool:
    return "distillery.heartbeat" in MlflowClient().get_run(run_id).data.tags


def test_what_was_killed_with_its_worker_is_closed_and_what_lives_is_not(
    team: Team, models: Registry
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOST],
        env=team.environment,
        cwd=team.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    dead = done.stdout.split()[-1]
    tracking.connect()
    elsewhere = {
        name: tracking.open_flow_run("elsewhere", name, {}).run_id for name in ("living", "silent")
    }
    for name, run_id in elsewhere.items():
        eventually(lambda run_id=run_id: _beat(run_id))  # type: ignore[misc]
        MlflowClient().set_tag(run_id, "distillery.owner", "another-host:1:1")
        if name == "silent":
            heartbeat.stop(name)
            MlflowClient().set_tag(run_id, "distillery.heartbeat", f"{time.time() - 200:.0f}")
    team.run("distillery", "reconcile")
    (flow_run,) = team.ask("/flow_runs/filter", {"flow_runs": {"id": {"any_": [dead]}}})
    assert flow_run["state"]["type"] == "CRASHED"
    assert "is gone" in flow_run["state"]["message"]
    left = {run.flow_run_id for run in tracking.open_flow_runs()}
    assert dead not in left
    assert "silent" not in left
    assert "living" in left
    tracking.close_flow_run("living", "FINISHED")
