"""What every place promises, over all of them: real processes here, moto's server for AWS."""

import functools
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from aws_server import AwsServer
from deployment.conftest import free_port
from deployment.registry import MODEL, Registry
from pydantic import TypeAdapter

from distillery.deployment.base import DeploymentError, Place
from distillery.deployment.places import AnyPlace

pytestmark = pytest.mark.slow

KINDS = [one.model_fields["kind"].default for one in typing.get_args(typing.get_args(AnyPlace)[0])]


@dataclass
class Here:
    """One place, and how a version is made to fail there."""

    place: Place
    registry: Registry
    aws: AwsServer

    def fails(self) -> Any:
        """A version that answers otherwise than it was registered to. Where containers are not
        run, its health check fails by hand: the container would not pass it."""
        lying = self.registry.lying
        if self.place.kind == "ecs":  # type: ignore[attr-defined]
            self.aws.unhealthy.add(lying.candidate_digest)
        return lying


@pytest.fixture(scope="module")
def aws(registry: Registry) -> Iterator[AwsServer]:
    uris = {
        version.candidate_digest: version.uri
        for version in (registry.first, registry.second, registry.lying)
    }
    load = functools.cache(mlflow.pyfunc.load_model)

    def answer(digest: str, body: bytes) -> bytes:
        rows = json.loads(body)["dataframe_split"]
        found = load(uris[digest]).predict(pd.DataFrame(rows["data"], columns=rows["columns"]))
        return json.dumps({"predictions": found.to_dict("records")}).encode()

    server = AwsServer(answer)
    yield server
    server.stop()


@pytest.fixture(params=KINDS)
def here(
    request: pytest.FixtureRequest,
    registry: Registry,
    aws: AwsServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Here]:
    registry.use(monkeypatch, storage=tmp_path / "storage")
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    aws.reset()
    container = {"image": "registry/serving:1", "models": "s3://models/served"}
    settings: dict[str, Any] = {}
    match request.param:
        case "local":
            settings = {"port": free_port()}
        case "sagemaker":
            settings = {**container, "role_arn": "arn:aws:iam::123456789012:role/serving"}
        case "ecs":
            vpc, subnets = aws.network()
            settings = {**container, "vpc_id": vpc, "subnets": subnets}
    place: Place = TypeAdapter(AnyPlace).validate_python({"kind": request.param, **settings})
    yield Here(place=place, registry=registry, aws=aws)
    place.remove(MODEL)


def test_what_serves_is_what_was_deployed_last(here: Here) -> None:
    place, registry = here.place, here.registry
    place.check()
    assert place.serving(MODEL) is None
    first = place.deploy(registry.first)
    assert first == place.serving(MODEL)
    assert (first.model, first.version, first.digest) == (
        MODEL,
        registry.first.version,
        registry.first.candidate_digest,
    )
    assert place.deploy(registry.first) == first
    second = place.deploy(registry.second)
    assert second == place.serving(MODEL)
    assert (second.version, second.address) == (registry.second.version, first.address)
    with pytest.raises(DeploymentError, match=registry.lying.uri):
        place.deploy(here.fails())
    after = place.serving(MODEL)
    assert after is not None
    assert (after.version, after.digest) == (second.version, second.digest)
    observed = place.observed(MODEL)
    assert observed is None or observed.version == second.version
    assert place.deploy(registry.first).version == first.version
    place.remove(MODEL)
    place.remove(MODEL)
    assert place.serving(MODEL) is None


def test_a_first_version_that_fails_leaves_nothing(here: Here) -> None:
    with pytest.raises(DeploymentError):
        here.place.deploy(here.fails())
    assert here.place.serving(MODEL) is None
    assert here.place.deploy(here.registry.first).version == here.registry.first.version


def test_its_settings_make_a_form(here: Here) -> None:
    properties = type(here.place).model_json_schema()["properties"]
    lacking = [n for n, p in properties.items() if n != "kind" and "title" not in p]
    assert not lacking
    assert type(here.place).model_validate_json(here.place.model_dump_json()) == here.place
