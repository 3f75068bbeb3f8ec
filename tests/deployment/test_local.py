"""The place ``local``, with real processes and real HTTP."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from distillery.deployment.base import DeploymentError
from distillery.deployment.home import Home
from distillery.deployment.local import Local
from distillery.errors import UserError
from distillery.nouns import RegisteredVersion

from .conftest import free_port
from .registry import MODEL, Registry
from .served import Address, Load, children_of_gateways, eventually

pytestmark = pytest.mark.slow


def _folders(tmp_path: Path) -> list[str]:
    return sorted(
        path.name for path in (tmp_path / "storage/serving" / MODEL / "versions").glob("*")
    )


def _gateway(place: Local) -> psutil.Process:
    running = Home(MODEL).gateway(place.port)
    assert running is not None
    return psutil.Process(int(running.process.split(":")[1]))


def _deploy_elsewhere(place: Local, version: RegisteredVersion) -> "subprocess.Popen[bytes]":
    """In a process of its own, which can be killed."""
    script = (
        "import sys; from distillery import tracking;"
        "from distillery.deployment.local import Local;"
        "tracking.connect();"
        "Local(port=int(sys.argv[1])).deploy(tracking.version_at(sys.argv[2]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, str(place.port), version.uri],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_no_request_is_lost_while_versions_change(
    registry: Registry, place: Local, address: Address, tmp_path: Path
) -> None:
    first = place.deploy(registry.first)
    assert (first.version, first.digest) == ("1", registry.first.candidate_digest)
    assert place.serving(MODEL) == first
    assert place.deploy(registry.first) == first
    # version 1 takes seconds over these: it is at one whenever it is switched off
    slow_rows = {"inputs": {"text": ["slow"]}}
    with Load(address) as load, Load(address, clients=1, rows=slow_rows) as slow:
        place.deploy(registry.second)
        after_second = address.ask().version
        place.deploy(registry.first)
        after_first = address.ask().version
    assert load.errors == slow.errors == []
    assert {reply.status for reply in (*load.replies, *slow.replies)} == {200}
    assert (after_second, after_first) == ("2", "1")
    assert {reply.version for reply in load.replies} == {"1", "2"}
    assert {reply.version for reply in slow.replies} == {"1", "2"}
    assert len(load.replies) > 50
    eventually(lambda: len(children_of_gateways(tmp_path)) == 1, "the old one ends")
    assert _folders(tmp_path) == [f"1-{registry.first.candidate_digest[:12]}"]


def test_a_version_that_fails_leaves_the_old_one_untouched(
    registry: Registry, place: Local, address: Address, tmp_path: Path
) -> None:
    reasons = {
        registry.damaged: r"models:/intents/5 does not hold what was registered",
        registry.lying: r"models:/intents/3 is not deployed: asked .*registered version says",
        registry.broken: r"models:/intents/4 is not deployed: .*does not start: .*does not load",
    }
    with pytest.raises(DeploymentError, match=reasons[registry.broken]):
        place.deploy(registry.broken)
    assert place.serving(MODEL) is None
    assert Home(MODEL).gateway(place.port) is None  # where nothing was served, nothing is left
    served = place.deploy(registry.first)
    (process,) = children_of_gateways(tmp_path)
    with Load(address, clients=2) as load:
        for bad, why in reasons.items():
            with pytest.raises(DeploymentError, match=why):
                place.deploy(bad)
    assert load.errors == []
    assert {(reply.status, reply.version) for reply in load.replies} == {(200, "1")}
    assert place.serving(MODEL) == served
    eventually(lambda: children_of_gateways(tmp_path) == [process], "the new ones end")
    assert _folders(tmp_path) == [f"1-{registry.first.candidate_digest[:12]}"]


def test_a_deployment_killed_in_the_middle_leaves_nothing(
    registry: Registry, place: Local, address: Address, tmp_path: Path
) -> None:
    served = place.deploy(registry.first)
    (process,) = children_of_gateways(tmp_path)
    deploying = _deploy_elsewhere(place, registry.second)
    eventually(lambda: len(children_of_gateways(tmp_path)) == 2, "the new version starts")
    deploying.kill()
    deploying.wait()
    eventually(lambda: children_of_gateways(tmp_path) == [process], "it ends with its deployment")
    assert place.serving(MODEL) == served
    assert len(_folders(tmp_path)) == 2
    place.deploy(registry.first)
    assert _folders(tmp_path) == [f"1-{registry.first.candidate_digest[:12]}"]
    assert address.ask().version == "1"


def test_a_version_that_dies_is_started_again(
    registry: Registry, place: Local, address: Address, tmp_path: Path
) -> None:
    served = place.deploy(registry.first)
    (process,) = children_of_gateways(tmp_path)
    with Load(address, clients=2) as load:
        process.send_signal(signal.SIGKILL)
        process.wait()
        eventually(
            lambda: address.get("/ping").status == 200 and address.ask().status == 200, "restart"
        )
    assert load.errors == []
    # all waited, and what it was just answering was asked again
    assert all(r.status == 200 or "is starting" in r.json["error"] for r in load.replies)
    assert children_of_gateways(tmp_path) != [process]
    assert place.serving(MODEL) == served


def test_a_version_that_cannot_be_started_again_is_given_up_and_deployed_anew(
    registry: Registry, place: Local, address: Address, tmp_path: Path
) -> None:
    place.deploy(registry.first)
    (folder,) = (tmp_path / "storage/serving" / MODEL / "versions").glob("*")
    (graph,) = folder.rglob("model.onnx")
    graph.write_bytes(b"not what was registered")
    (process,) = children_of_gateways(tmp_path)
    process.kill()
    eventually(lambda: place.serving(MODEL) is None, "it is given up")
    reply = address.ask()
    assert reply.status == 503
    assert "not started again" in reply.json["error"]
    place.deploy(registry.first)
    assert address.ask().version == "1"


def test_a_killed_gateway_takes_its_versions_along_and_the_next_deployment_starts_another(
    registry: Registry, place: Local, address: Address, tmp_path: Path
) -> None:
    place.deploy(registry.first)
    gateway = _gateway(place)
    running = Home(MODEL).gateway(place.port)
    gateway.kill()
    eventually(lambda: not children_of_gateways(tmp_path), "its version ends")
    assert place.serving(MODEL) is None
    # what it served comes back with the next gateway, even where the new version is no good
    with pytest.raises(DeploymentError):
        place.deploy(registry.broken)
    assert address.another().ask().version == "1"
    assert place.deploy(registry.second).version == "2"
    assert running is not None
    assert not Path(running.control).parent.exists()


def test_removing_frees_the_port_and_can_be_repeated(
    registry: Registry, place: Local, tmp_path: Path
) -> None:
    place.remove(MODEL)
    place.deploy(registry.first)
    gateway = _gateway(place)
    place.remove(MODEL)
    place.remove(MODEL)
    assert place.serving(MODEL) is None
    assert not gateway.is_running()
    assert not children_of_gateways(tmp_path)
    place.check()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", place.port))


def test_a_taken_port_is_one_clear_line(registry: Registry, place: Local) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", place.port))
        other.listen()
        with pytest.raises(UserError, match=f"port {place.port} .* is taken .*deploy.port"):
            place.check()
        with pytest.raises(UserError, match=f"port {place.port} .* is taken .*deploy.port"):
            place.deploy(registry.first)
    place.check()


def test_a_model_moves_to_another_port_and_leaves_the_old_one(
    registry: Registry, place: Local
) -> None:
    place.deploy(registry.first)
    elsewhere = Local(port=free_port())
    with pytest.raises(DeploymentError):
        elsewhere.deploy(registry.lying)
    assert elsewhere.serving(MODEL) is None
    assert place.serving(MODEL) is not None
    assert elsewhere.deploy(registry.second).address == f"http://127.0.0.1:{elsewhere.port}"
    assert place.serving(MODEL) is None
