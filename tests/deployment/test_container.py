"""What runs in the container, as a process of its own: fetched from S3, asked, healthy."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_server import AwsServer

from distillery.deployment import aws, packing
from distillery.deployment.packing import Packed
from distillery.nouns import RegisteredVersion

from .conftest import free_port
from .registry import Registry
from .served import Address, children_of_gateways, eventually

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def server(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AwsServer]:
    registry.use(monkeypatch, storage=tmp_path / "storage")
    made = AwsServer(lambda digest, body: b"")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    made.reset()
    yield made
    made.stop()


def _upload(version: RegisteredVersion) -> Packed:
    return packing.upload(version, aws.client("s3", "us-east-1"), "s3://models/served")


def _start(
    version: RegisteredVersion, packed: Packed, port: int, scratch: Path, **changed: str
) -> "subprocess.Popen[str]":
    scratch.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "DISTILLERY_MODEL": version.model,
        "DISTILLERY_VERSION": version.version,
        "DISTILLERY_DIGEST": version.candidate_digest,
        "DISTILLERY_MODEL_URI": packed.uri,
        "DISTILLERY_MODEL_SHA256": packed.sha256,
        "DISTILLERY_HOST": "127.0.0.1",
        "DISTILLERY_PORT": str(port),
        "TMPDIR": str(scratch),
        **changed,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "distillery.deployment.container", "serve"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_fetches_asks_itself_and_answers_until_told_to_end(
    registry: Registry, server: AwsServer, tmp_path: Path
) -> None:
    packed = _upload(registry.first)
    assert _upload(registry.first) == packed
    assert server.calls.count("/models/served/intents/1-" + packed.uri.rpartition("/1-")[2]) == 3
    port = free_port()
    process = _start(registry.first, packed, port, tmp_path / "scratch")
    address = Address(port)

    def is_healthy() -> bool:
        assert process.poll() is None
        try:
            return address.another().get("/ping").status == 200
        except OSError:
            return False

    eventually(is_healthy, "it is healthy", 120)
    assert address.get("/version").json["digest"] == registry.first.candidate_digest
    reply = address.ask()
    assert (reply.status, reply.version) == (200, registry.first.version)
    process.terminate()
    assert process.wait(60) == 0
    assert not children_of_gateways(tmp_path)
    left = [path.name for path in (tmp_path / "scratch").iterdir()]
    assert not [name for name in left if name.startswith(("serving-", "distillery-"))]


@pytest.mark.parametrize("wrong", ["answers", "bytes", "nothing said"])
def test_a_version_that_is_not_what_was_registered_never_is_healthy(
    registry: Registry, server: AwsServer, tmp_path: Path, wrong: str
) -> None:
    version = registry.lying if wrong == "answers" else registry.first
    packed = _upload(version)
    changed, why = {
        "answers": ({}, "does not serve: asked .* the registered version says"),
        "bytes": ({"DISTILLERY_MODEL_SHA256": "0" * 64}, "is not what was deployed"),
        "nothing said": ({"DISTILLERY_DIGEST": "0" * 64}, "is damaged"),
    }[wrong]
    process = _start(version, packed, free_port(), tmp_path / "scratch", **changed)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(why, said)
    assert "Traceback" not in said
    assert not children_of_gateways(tmp_path)


def test_its_requirements_are_those_of_the_lock_and_hold_no_torch() -> None:
    def pins(path: Path) -> set[str]:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {line.strip() for line in lines if re.match(r"[A-Za-z0-9]", line)}

    needed = pins(_ROOT / "infra/serving/requirements.txt")
    assert needed <= pins(_ROOT / "requirements.lock")
    names = {re.split(r"[=\s;\[]", line)[0] for line in needed}
    assert names >= {"mlflow-skinny", "onnxruntime", "tokenizers", "uvicorn", "pillow", "boto3"}
    assert not names & {"torch", "transformers", "prefect"}
