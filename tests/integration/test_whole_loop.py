"""The whole loop, as a team lives it: a run from the Prefect page's form, the champion served, an
alias moved on MLflow's page, deployed under load without a lost request, refused, rolled back."""

import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from machine import TINY
from team import Team, free_ports

from distillery import recipe_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

_MODEL = "whole-loop"


def _asked(url: str, body: object = None) -> Any:
    request = urllib.request.Request(
        url,
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


class Registry:
    """MLflow's API with a password, as its page calls it."""

    def __init__(self, team: Team) -> None:
        settings = team.stack.settings
        self._address = f"{settings.mlflow_address}/api/2.0/mlflow/"
        token = base64.b64encode(f"admin:{settings.secrets.mlflow}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def call(self, path: str, body: object = None, **query: str) -> Any:
        url = f"{self._address}{path}?{urllib.parse.urlencode(query)}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, self._headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def move(self, alias: str, version: str) -> None:
        self.call("registered-models/alias", {"name": _MODEL, "alias": alias, "version": version})

    def versions(self) -> list[dict[str, Any]]:
        found = self.call("model-versions/search", filter=f"name='{_MODEL}'")["model_versions"]
        return [self.version(one["version"]) for one in found]

    def version(self, number: str) -> dict[str, Any]:
        found = self.call("model-versions/get", name=_MODEL, version=number)["model_version"]
        return {**found, "tags": {tag["key"]: tag["value"] for tag in found.get("tags", ())}}

    def champion(self) -> str:
        return str(
            self.call("registered-models/alias", name=_MODEL, alias="champion")["model_version"][
                "version"
            ]
        )


class Load:
    """Somebody who asks on and on; what was not answered is kept."""

    def __init__(self, address: str) -> None:
        self.answered, self.failures = 0, list[str]()
        self.versions = set[str]()
        self._address, self._stop = address, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(2)]

    @contextmanager
    def going_on(self) -> Iterator["Load"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _ask(self) -> None:
        body = json.dumps({"dataframe_records": [{"text": "where is my parcel?"}]}).encode()
        until = time.monotonic() + 400  # whatever happens, it ends
        while not self._stop.is_set() and time.monotonic() < until:
            request = urllib.request.Request(
                f"{self._address}/invocations", body, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    assert json.loads(answer.read())["predictions"][0]["label"]
                    self.versions.add(answer.headers["X-Distillery-Version"])
                self.answered += 1
            except (OSError, AssertionError, ValueError, KeyError) as error:
                self.failures.append(repr(error))
            self._stop.wait(0.05)


@pytest.fixture(scope="module")
def address() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(scope="module")
def flow_run(team: Team, address: str) -> Iterator[Any]:
    """A run of the form's fields, to its end."""
    place = f"deploy={{kind: local, port: {urllib.parse.urlsplit(address).port}}}"
    recipe = recipe_files.load("quickstart", [*TINY, f"name={_MODEL}", place])
    started = team.start_run(
        "compress/compress", {"recipe": recipe.model_dump(mode="json", exclude_none=True)}
    )
    try:
        yield team.ended(started["id"], within_s=600)
    finally:
        team.run("undeploy", _MODEL)


@pytest.fixture(scope="module")
def registry(team: Team) -> Registry:
    return Registry(team)


def test_a_run_from_the_form_ends_served_and_told(
    team: Team, flow_run: Any, address: str, registry: Registry
) -> None:
    assert flow_run["state"]["type"] == "COMPLETED", flow_run["state"]["message"]
    served = _asked(f"{address}/version")
    champion = registry.version(registry.champion())
    assert (served["model"], served["version"]) == (_MODEL, champion["version"])
    assert served["digest"] == champion["tags"]["distillery.digest"]
    assert champion["tags"]["distillery.decision"] == "deployed"
    _, artifacts = team.prefect(
        "POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [flow_run["id"]]}}}
    )
    keys = {artifact["key"] for artifact in artifacts}
    assert {"verdict", "results", "report", "mlflow-run", "mlflow-version"} <= keys
    assert {"accuracy-against-latency", "training-teacher"} <= keys


def test_the_schedule_fires(team: Team) -> None:
    asked = {
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
        "flows": {"name": {"any_": ["reconcile"]}},
    }

    def scheduled() -> list[Any]:
        _, found = team.prefect("POST", "/flow_runs/filter", asked)
        return [one for one in found if one["auto_scheduled"]]

    assert team.eventually(scheduled, within_s=300)


def test_an_alias_moved_on_the_page_is_deployed_under_load_refused_and_rolled_back(
    team: Team, flow_run: Any, address: str, registry: Registry
) -> None:
    first = registry.champion()
    others = [one for one in registry.versions() if one["version"] != first]
    other = next(one for one in others if one["tags"].get("distillery.verdict") == "passed")
    control = next(one for one in others if one["tags"]["distillery.role"] == "control")
    load = Load(address)
    with load.going_on():
        registry.move("champion", other["version"])
        team.eventually(
            lambda: _asked(f"{address}/version")["version"] == other["version"], within_s=300
        )
        team.eventually(
            lambda: (
                registry.version(other["version"])["tags"].get("distillery.decision") == "deployed"
            )
        )
        tags = registry.version(other["version"])["tags"]
        assert tags["distillery.requested_by"] == "MLflow registry"
        assert tags["distillery.decision_flow_run_id"]

        registry.move("champion", control["version"])
        team.eventually(lambda: registry.champion() == other["version"], within_s=300)
        refused = registry.version(control["version"])["tags"]
        assert refused["distillery.decision"] == "refused"
        assert "control" in refused["distillery.decision_reasons"]
        assert _asked(f"{address}/version")["version"] == other["version"]

        done = team.run("rollback", _MODEL)
        assert done.returncode == 0, done.stderr
        assert registry.champion() == first
        assert _asked(f"{address}/version")["version"] == first
    assert load.failures == []
    assert load.versions == {first, other["version"]}
    assert load.answered > 100


def test_everything_stands_on_one_screen(team: Team, flow_run: Any, address: str) -> None:
    done = team.run("status", "--json")
    assert done.returncode == 0, done.stderr
    assert address in done.stdout
    assert _MODEL in done.stdout


def test_it_can_be_served_no_more(team: Team, flow_run: Any, address: str) -> None:
    done = team.run("undeploy", _MODEL)
    assert done.returncode == 0, done.stderr
    with pytest.raises(urllib.error.URLError):
        _asked(f"{address}/version")
    again = team.run("undeploy", _MODEL)
    assert again.returncode == 2
    assert "served nowhere" in again.stderr
