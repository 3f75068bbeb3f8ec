"""The flow as a team runs it: deployed to a real Prefect server, asked for through its API as the
UI does, carried out by a worker."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from machine import TINY, Home

from distillery import recipe_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_REPOSITORY = Path(__file__).parent.parent.parent
_PREFECT = str(Path(sys.executable).parent / "prefect")


class Server:
    """A Prefect server with the deployments of prefect.yaml, and one worker."""

    def __init__(self, home: Home) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.environment = {**home.environment, "PREFECT_API_URL": self.api}
        self._log = (home.folder / "servers.log").open("wb")
        self._processes: list[subprocess.Popen[bytes]] = []

    def background(self, *arguments: str) -> None:
        process = subprocess.Popen(
            [_PREFECT, *arguments],
            env=self.environment,
            cwd=_REPOSITORY,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._processes.append(process)

    def foreground(self, *arguments: str) -> None:
        subprocess.run(
            [_PREFECT, "--no-prompt", *arguments],
            env=self.environment,
            cwd=_REPOSITORY,
            check=True,
            capture_output=True,
        )

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Asked again for as long as SQLite is busy, as Prefect's own client does."""
        until = time.monotonic() + 120
        while (answer := self._call(method, path, body))[0] == HTTPStatus.SERVICE_UNAVAILABLE:
            assert time.monotonic() < until, answer
            time.sleep(0.5)
        return answer

    def _call(self, method: str, path: str, body: object) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.api + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except TimeoutError:
            if method != "GET":  # it may have been carried out
                raise
            return HTTPStatus.SERVICE_UNAVAILABLE, "no answer in 30 s"

    def wait_until_healthy(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with suppress(OSError):
                if self.call("GET", "/health")[0] == 200:
                    return
            time.sleep(0.3)
        raise TimeoutError("the Prefect server did not start")

    def stop(self) -> None:
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._log.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(folder=tmp_path_factory.mktemp("team"))


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[Server]:
    server = Server(home)
    try:
        server.background("server", "start", "--host", "127.0.0.1", "--port", str(server.port))
        server.wait_until_healthy()
        server.foreground("work-pool", "create", "distillery", "--type", "process")
        server.foreground("deploy", "--all")
        server.background("worker", "start", "--pool", "distillery")
        yield server
    finally:
        server.stop()


def _deployment(server: Server) -> Any:
    status, deployment = server.call("GET", "/deployments/name/compress/compress")
    assert status == 200, deployment
    return deployment


def test_the_form_explains_and_bounds_its_fields(server: Server) -> None:
    definitions = _deployment(server)["parameter_openapi_schema"]["definitions"]
    temperature = definitions["SoftTargets"]["properties"]["temperature"]
    assert temperature["title"] == "Temperature"
    assert temperature["anyOf"][0]["exclusiveMinimum"] == 0
    assert temperature["description"]
    recipe = definitions["Recipe"]["properties"]
    assert recipe["name"]["position"] < recipe["data"]["position"] < recipe["gates"]["position"]
    for name in ("Recipe", "Data", "Gates", "Training"):
        for field, schema in definitions[name]["properties"].items():
            # a field that refers to a definition is headed by that definition's title
            assert schema.get("title") or "$ref" in schema, f"{name}.{field} has no title"


def test_a_bad_value_is_refused_by_the_server(server: Server) -> None:
    recipe = recipe_files.load("quickstart", TINY).model_dump(mode="json")
    recipe["students"][0]["layers"] = ["first"]
    status, answer = server.call(
        "POST",
        f"/deployments/{_deployment(server)['id']}/create_flow_run",
        {"parameters": {"recipe": recipe}},
    )
    assert status == 409
    assert "layers" in answer


def test_a_run_from_the_ui_ends_with_its_artifacts(server: Server) -> None:
    recipe = recipe_files.load("quickstart", TINY).model_dump(mode="json")
    status, flow_run = server.call(
        "POST",
        f"/deployments/{_deployment(server)['id']}/create_flow_run",
        {"parameters": {"recipe": recipe}},
    )
    assert status == 201, flow_run
    until = time.monotonic() + 400
    while flow_run["state"]["type"] not in ("COMPLETED", "FAILED", "CRASHED"):
        assert time.monotonic() < until, flow_run["state"]
        time.sleep(1)
        _, flow_run = server.call("GET", f"/flow_runs/{flow_run['id']}")
    assert flow_run["state"]["type"] == "COMPLETED", flow_run["state"]["message"]
    assert flow_run["name"] == "compress-quickstart"
    _, artifacts = server.call(
        "POST",
        "/artifacts/filter",
        {"artifacts": {"flow_run_id": {"any_": [flow_run["id"]]}}},
    )
    found = {artifact["key"]: artifact["type"] for artifact in artifacts}
    assert found["verdict"] == "markdown"
    assert found["results"] == "table"
    assert found["accuracy-against-latency"] == "image"
    done = {artifact["key"]: artifact["data"] for artifact in artifacts}
    for name in ("teacher", "one-layer", "one-layer-control"):
        assert found[f"training-{name}"] == "progress"
        assert done[f"training-{name}"] == 100
    _, logs = server.call(
        "POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [flow_run["id"]]}}}
    )
    messages = " ".join(log["message"] for log in logs)
    assert "validation accuracy" in messages, "the library's log lines reach the flow run's page"
