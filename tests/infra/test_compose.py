"""The containers are the servers of ``make stack``: the same names, ports and environment.

No Docker engine is asked: this reads the files.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import PrefectClient
from prefect.workers.base import BaseJobConfiguration

from infra.stack.services import POOL, services, shared_settings
from infra.stack.settings import BUCKET, DATABASES, MLFLOW_BUCKET, Settings

_INFRA = Path(__file__).parents[2] / "infra"
_ONCE = {"set-up"}


@pytest.fixture(scope="module")
def text() -> str:
    return (_INFRA / "compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(folder=tmp_path_factory.mktemp("stack") / ".distillery" / "stack")


def test_both_topologies_hold_the_same_servers(compose: dict[str, Any], settings: Settings) -> None:
    assert set(compose["services"]) - _ONCE == set(services(settings))


def test_ports_are_the_same_and_on_loopback(compose: dict[str, Any], settings: Settings) -> None:
    published = {
        name: service["ports"][0].split(":")[:2]
        for name, service in compose["services"].items()
        if "ports" in service
    }
    assert published == {
        name: ["127.0.0.1", str(port)] for name, port in settings.ports.model_dump().items()
    }


def test_a_worker_is_told_the_same(compose: dict[str, Any], settings: Settings) -> None:
    told = compose["services"]["worker"]["environment"]
    here = settings.environment
    assert here.keys() <= told.keys()
    assert set(told) - set(here) == {"PREFECT_WORKER_QUERY_SECONDS"}
    # what is neither an address nor a secret nor a folder
    for name in here.keys() - {"DISTILLERY_CACHE"}:
        if "://127.0.0.1" not in here[name] and "${" not in told[name]:
            assert told[name] == here[name], name


@pytest.mark.parametrize("name", ["mlflow", "prefect"])
def test_a_server_is_told_the_same(compose: dict[str, Any], settings: Settings, name: str) -> None:
    theirs = compose["services"][name]
    file = "mlflow/server.env" if name == "mlflow" else "infra/prefect.env"
    assert (_INFRA / theirs["env_file"]).resolve() == _INFRA.parent / file
    told = theirs["environment"].keys() | shared_settings(file).keys()
    ours = services(settings)[name].environment
    own = "MLFLOW_" if name == "mlflow" else "PREFECT_"
    everyones = settings.environment.keys() | {"PREFECT_HOME"}
    assert {one for one in ours.keys() - everyones if one.startswith(own)} <= told


def test_databases_buckets_and_pool_are_the_same(compose: dict[str, Any], text: str) -> None:
    made = re.findall(r"create database (\w+);", compose["configs"]["databases"]["content"])
    first = compose["services"]["postgres"]["environment"]["POSTGRES_DB"]
    assert {first, *made} == set(DATABASES)
    assert f"s3://{MLFLOW_BUCKET}" in text
    assert compose["services"]["worker"]["environment"]["DISTILLERY_STORAGE"] == f"s3://{BUCKET}"
    command = compose["services"]["worker"]["command"]
    assert command[command.index("--pool") + 1] == POOL


def test_no_secret_stands_in_the_file(text: str) -> None:
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name.endswith(("PASSWORD", "SECRET", "SECRET_KEY", "SECRET_ACCESS_KEY")):
            assert re.fullmatch(r" \$\{\w+(:\?see docs/stack\.md)?\}", value), line


def test_everything_that_waits_waits_for_health(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert name in _ONCE or "healthcheck" in service
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in _ONCE else "service_healthy"
            assert how["condition"] == expected


def test_what_is_built_is_there(compose: dict[str, Any]) -> None:
    built = {s["build"]["dockerfile"] for s in compose["services"].values() if "build" in s}
    assert built == {"infra/Dockerfile", "mlflow/Dockerfile"}
    for file in built:
        lines = (_INFRA.parent / file).read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if line.startswith("USER ")], f"{file} runs as root"


@pytest.mark.parametrize("kind", ["process", "docker", "kubernetes", "ecs"])
def test_a_work_pool_offers_what_it_uses(kind: str) -> None:
    text = (_INFRA / "work-pools" / f"{kind}.yaml").read_text(encoding="utf-8")
    template = yaml.safe_load(text)
    used = set(re.findall(r"\{\{ (\w+) \}\}", text))
    offered = template["variables"]["properties"]
    assert used == set(offered)
    assert set(template["variables"].get("required", ())) <= set(offered)
    for name, schema in offered.items():
        assert schema["title"], name
        assert schema["description"], name


def test_a_container_gets_the_workers_addresses_and_what_its_deployment_adds(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.environment.items():
        monkeypatch.setenv(name, value)
    text = (_INFRA / "work-pools" / "docker.yaml").read_text(encoding="utf-8")
    resolved: Any = asyncio.run(
        BaseJobConfiguration.from_template_and_values(
            yaml.safe_load(text),
            {"env": {"PREFECT_LOGGING_LEVEL": "DEBUG"}},
            # nothing is asked of it: no block, no variable of the server's is named
            client=PrefectClient("http://127.0.0.1:9/api"),
        )
    )
    # the worker adds Prefect's own address; the webhooks' secret is the receiver's alone
    ours = {
        name: value
        for name, value in settings.environment.items()
        if not name.startswith("PREFECT_") and name != "DISTILLERY_WEBHOOK_SECRET"
    }
    assert {**ours, "DISTILLERY_CACHE": "/cache"}.items() <= resolved.env.items()
    assert resolved.env["PREFECT_LOGGING_LEVEL"] == "DEBUG"
