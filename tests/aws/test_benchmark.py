"""The whole way to an instance and back: the real runner measures a real model."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from factories import make_entry

from aws.cloud import BUCKET, Cloud, Machine, Machines, Request, ec2_error
from distillery.aws.settings import Aws
from distillery.benchmarking.plan import Entry
from distillery.errors import UserError
from distillery.measurements import Offline, Outcome, Scenario, Server
from distillery.runtimes.base import Text
from distillery.targets import measuring, renting
from distillery.targets.named import AnyTarget, named

_TEXTS: tuple[Text, ...] = ("one", "one two", "two two one", "three one two one")
_SMALL = Scenario(
    requests=100,
    rounds=2,
    offline=Offline(batch_sizes=(1,), batches=3),
    server=Server(p99_objective_ms=500, rates=1),
)


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return make_entry(tmp_path / "tiny")


def _measured(entries: Entry | Sequence[Entry], *names: str, **aws: Any) -> tuple[Outcome, ...]:
    of = [entries] if isinstance(entries, Entry) else list(entries)
    settings = Aws(**{"cost_usd_max": 100, **aws})
    targets: Sequence[AnyTarget] = [named(name, settings) for name in names]
    return measuring.measure(dict.fromkeys(targets, of), _TEXTS, _SMALL, 1)


def _starts(cloud: Cloud) -> list[Request]:
    """The calls that asked for an instance."""
    return [one for one in cloud.seen if one.action == "RunInstances"]


def _zone_of(cloud: Cloud, start: Request) -> str:
    subnet = start.parameters["NetworkInterface.1.SubnetId"]
    (found,) = cloud.client("ec2").describe_subnets(SubnetIds=[subnet])["Subnets"]
    return str(found["AvailabilityZone"])


def _on_start(answer: Callable[[Request], Any]) -> Callable[[Request], Any]:
    return lambda request: answer(request) if request.action == "RunInstances" else None


def test_two_types_at_once(entry: Entry, cloud: Cloud, machines: Machines) -> None:
    # each starts to work only when both do
    started = {"c7i.2xlarge": Event(), "c5.9xlarge": Event()}

    def both(machine: Machine) -> None:
        started[machine.instance["InstanceType"]].set()

    machines.before = both
    other = replace(entry, name="other", digest="07h3r")
    found = _measured([entry, other], "aws:c7i.2xlarge", "aws:c5.9xlarge")

    assert [one.target for one in found] == ["aws:c7i.2xlarge", "aws:c5.9xlarge"]
    assert all(event.is_set() for event in started.values())
    for outcome, usd in zip(found, (0.357, 1.53), strict=True):
        assert outcome.skipped == ()
        assert [one.candidate_name for one in outcome.measurements] == ["tiny fp32", "other"]
        for measured in outcome.measurements:
            assert measured.target == outcome.target
            assert len(measured.latencies_ms) == 100
            assert measured.instance is not None
            assert f"aws:{measured.instance.instance_type}" == outcome.target
            price = measured.instance.price
            assert (price.on_demand_usd_per_hour, price.source) == (usd, "AWS price list")
            assert measured.server is not None
            rate = measured.server.highest_rate_per_second
            assert rate is not None
            assert measured.cost_per_million_usd == pytest.approx(usd / (rate * 3600) * 1e6)
    assert cloud.states() == ["terminated", "terminated"]


def test_what_an_instance_is_started_with(entry: Entry, cloud: Cloud, machines: Machines) -> None:
    (outcome,) = _measured(entry, "aws:c7i.2xlarge", minutes_max=30)
    assert outcome.measurements
    (start,) = _starts(cloud)
    asked = start.parameters
    assert asked["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert asked["MetadataOptions.HttpTokens"] == "required"
    assert asked["MetadataOptions.HttpPutResponseHopLimit"] == "1"
    assert asked["BlockDeviceMapping.1.Ebs.Encrypted"] == "true"
    assert asked["BlockDeviceMapping.1.Ebs.DeleteOnTermination"] == "true"
    assert not any(key.startswith(("IamInstanceProfile", "KeyName")) for key in asked)
    kinds = {asked[f"TagSpecification.{i}.ResourceType"] for i in (1, 2)}
    assert kinds == {"instance", "volume"}
    (instance,) = cloud.instances()
    borne = {one["Key"]: one["Value"] for one in instance["Tags"]}
    assert borne["distillery:owner"].startswith("arn:aws:")
    minutes = (datetime.fromisoformat(borne["distillery:expires-at"]) - datetime.now(UTC)).seconds
    assert 30 * 60 < minutes <= 40 * 60

    (machine,) = machines.run
    assert machine.script.splitlines()[:2] == ["#!/bin/bash", "shutdown -h +30"]
    assert len(machine.script) < 16_384
    # all it knows of AWS are signed addresses of single files
    assert "nobodys" not in machine.script
    assert "-h now" in (machine.folder / "shutdown").read_text()
    (log,) = [key for key in cloud.keys("runs/") if key.endswith("log.txt")]
    told = cloud.client("s3").get_object(Bucket=BUCKET, Key=log)["Body"].read().decode()
    assert "benchmark: timing 100 single requests" in told


def test_a_full_zone_is_left_for_the_next_one(
    entry: Entry, cloud: Cloud, machines: Machines
) -> None:
    full: list[str] = []

    def no_room(request: Request) -> Any:
        if not full:
            full.append(_zone_of(cloud, request))
            return ec2_error(500, "InsufficientInstanceCapacity")
        return None

    cloud.faults.append(_on_start(no_room))
    (outcome,) = _measured(entry, "aws:c7i.2xlarge")
    (measured,) = outcome.measurements
    first, second = map(lambda start: _zone_of(cloud, start), _starts(cloud))
    assert full == [first]
    assert measured.instance is not None
    assert measured.instance.zone == second != first


def test_a_full_market_is_left_for_the_next_one(
    entry: Entry, cloud: Cloud, machines: Machines
) -> None:
    def no_spot(request: Request) -> Any:
        if request.parameters.get("InstanceMarketOptions.MarketType") == "spot":
            return ec2_error(400, "MaxSpotInstanceCountExceeded")
        return None

    cloud.faults.append(_on_start(no_spot))
    (outcome,) = _measured(entry, "aws:c7i.2xlarge", markets=("spot", "on_demand"))
    (measured,) = outcome.measurements
    assert measured.instance is not None
    assert measured.instance.market == "on_demand"
    assert len(_starts(cloud)) == 2


def test_no_room_anywhere_is_told_and_the_others_go_on(
    entry: Entry, cloud: Cloud, machines: Machines
) -> None:
    def no_room(request: Request) -> Any:
        if request.parameters["InstanceType"] == "c5.9xlarge":
            return ec2_error(500, "InsufficientInstanceCapacity")
        return None

    cloud.faults.append(_on_start(no_room))
    full, found = _measured(entry, "aws:c5.9xlarge", "aws:c7i.2xlarge")
    assert found.measurements
    (skipped,) = full.skipped
    assert skipped.models == ("tiny fp32",)
    assert "no room for c5.9xlarge in us-east-1 now: us-east-1a on demand" in skipped.why


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("VcpuLimitExceeded", "you have requested more", r"quota .*Standard.*L-1216C47A.* used up"),
        (
            "UnauthorizedOperation",
            "You are not authorized to perform: ec2:RunInstances on resource: x",
            "permission ec2:RunInstances is missing",
        ),
        ("InvalidAMIID.NotFound", "no such image", "InvalidAMIID.NotFound"),
    ],
)
def test_what_no_other_zone_would_mend_ends_it_at_once(
    entry: Entry, cloud: Cloud, code: str, message: str, told: str
) -> None:
    cloud.faults.append(_on_start(lambda _: ec2_error(400, code, message)))
    with pytest.raises(UserError, match=told) as refused:
        _measured(entry, "aws:c7i.2xlarge")
    assert "\n" not in str(refused.value)
    assert len(_starts(cloud)) == 1


def test_an_instance_that_dies_is_told_with_what_it_was_at(
    entry: Entry, cloud: Cloud, machines: Machines
) -> None:
    def dies(request: Request) -> Any:
        if "heartbeat.json" in request.path and b"benchmarking" in request.body:
            machines.run[0].power_off()
        return None

    cloud.faults.append(dies)
    (outcome,) = _measured(entry, "aws:c7i.2xlarge")
    assert outcome.measurements == ()
    (skipped,) = outcome.skipped
    assert f"{machines.run[0].instance_id} ended before it had results" in skipped.why
    assert cloud.states() == ["terminated"]


def test_an_instance_that_hangs_ends_by_its_timer(
    entry: Entry, cloud: Cloud, machines: Machines
) -> None:
    (machines.shims / "dnf").write_text("#!/bin/bash\nsleep 600\n")
    machines.seconds_per_minute = 0.5
    (outcome,) = _measured(entry, "aws:c7i.2xlarge", minutes_max=5)
    (skipped,) = outcome.skipped
    assert "ended before it had results" in skipped.why
    assert "it was at: installing" in skipped.why
    assert cloud.states() == ["terminated"]


def test_a_runner_that_fails_says_why(entry: Entry, cloud: Cloud, machines: Machines) -> None:
    (machines.shims / "dnf").write_text("#!/bin/bash\necho no such package\nexit 3\n")
    (outcome,) = _measured(entry, "aws:c7i.2xlarge")
    (skipped,) = outcome.skipped
    assert "'dnf install" in skipped.why
    assert "ended with status 3: no such package" in skipped.why


@pytest.mark.parametrize(
    "spoil",
    [lambda body: body[:-1], lambda body: body.replace(b"1", b"2", 1)],
    ids=["cut short", "changed"],
)
def test_results_that_were_spoilt_on_the_way_are_no_results(
    entry: Entry, cloud: Cloud, machines: Machines, spoil: Callable[[bytes], bytes]
) -> None:
    def corrupt(request: Request) -> Any:
        if request.method == "PUT" and "/outcome.json" in request.path:
            return replace(request, body=spoil(request.body))
        return None

    cloud.faults.append(corrupt)
    (outcome,) = _measured(entry, "aws:c7i.2xlarge")
    assert outcome.measurements == ()
    assert "is not what it sent: outcome.json has" in outcome.skipped[0].why
    # nor are they found by whoever tries again
    cloud.faults.clear()
    assert _measured(entry, "aws:c7i.2xlarge")[0].measurements


def test_a_candidate_that_was_spoilt_on_the_way_is_not_measured(
    entry: Entry, cloud: Cloud, machines: Machines
) -> None:
    def corrupt(request: Request) -> Any:
        if request.method == "PUT" and "/candidate-0.zip" in request.path:
            return replace(request, body=b"\0" + request.body[1:])
        return None

    cloud.faults.append(corrupt)
    (outcome,) = _measured(entry, "aws:c7i.2xlarge")
    assert "candidate-0.zip is not what was sent" in outcome.skipped[0].why


def test_what_cannot_run_there_is_told_and_the_rest_is_measured(
    entry: Entry, cloud: Cloud, machines: Machines, tmp_path: Path
) -> None:
    broken = make_entry(tmp_path / "broken", "broken int8")
    (broken.folder / "model.onnx").write_bytes(b"no graph")
    (outcome,) = _measured([broken, entry], "aws:c7i.2xlarge")
    assert [one.candidate_name for one in outcome.measurements] == ["tiny fp32"]
    (skipped,) = outcome.skipped
    assert (skipped.models, skipped.target) == (("broken int8",), "aws:c7i.2xlarge")
    assert "broken int8 (onnxruntime) failed" in skipped.why


def test_a_gpu_instance_without_its_gpu_gives_no_number(
    entry: Entry, cloud: Cloud, machines: Machines
) -> None:
    (outcome,) = _measured(entry, "aws:g4dn.2xlarge")
    assert outcome.measurements == ()
    assert "CUDAExecutionProvider" in outcome.skipped[0].why


def test_neuron_says_what_it_cannot_load(
    entry: Entry, cloud: Cloud, machines: Machines, tmp_path: Path
) -> None:
    from export import tiny

    folder = tiny.save_checkpoint(tmp_path / "pytorch", "bert")
    (folder / "candidate.json").write_bytes((entry.folder / "candidate.json").read_bytes())
    eager = Entry(name="tiny pytorch", digest="p7", folder=folder, runtime="pytorch")
    (outcome,) = _measured([entry, eager], "aws:inf2.xlarge")
    assert outcome.measurements == ()
    onnx, pytorch = outcome.skipped
    assert (onnx.models, pytorch.models) == (("tiny fp32",), ("tiny pytorch",))
    assert "Neuron has no ONNX path" in onnx.why
    assert "no Neuron compiler can be loaded" in pytorch.why


_KILLED = """
import signal, sys
# ignored where tests are started in a shell's background
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from distillery.benchmarking.plan import Entry
from aws.test_benchmark import _measured
_measured(Entry(name="tiny fp32", digest="d1g357", folder=Path(sys.argv[1]), runtime="onnxruntime"),
          "aws:c7i.2xlarge")
"""


@pytest.mark.parametrize("finished", [False, True], ids=["still at work", "finished meanwhile"])
def test_whoever_was_killed_finds_its_instance_again(
    entry: Entry, cloud: Cloud, machines: Machines, finished: bool
) -> None:
    at_work, go_on = Event(), Event()

    def watched(request: Request) -> Any:
        if "heartbeat.json" in request.path and b"benchmarking" in request.body:
            at_work.set()
            go_on.wait(60)
        return None

    cloud.faults.append(watched)
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(entry.folder)],
        env={**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{tests}"},
    )
    assert at_work.wait(200)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if finished:
        go_on.set()
        assert machines.run[0].is_off.wait(60)
    assert len(_starts(cloud)) == 1
    go_on.set()
    (outcome,) = _measured(entry, "aws:c7i.2xlarge")
    (measured,) = outcome.measurements
    assert len(_starts(cloud)) == 1
    assert measured.instance is not None
    assert measured.instance.instance_id == machines.run[0].instance_id
    assert cloud.states() == ["terminated"]

    # once it is reported, it is measured anew
    renting.forget([outcome])
    assert cloud.keys("runs/") == []
    assert _measured(entry, "aws:c7i.2xlarge")[0].measurements
    assert len(_starts(cloud)) == 2


def test_an_interrupt_ends_the_instance(entry: Entry, cloud: Cloud, machines: Machines) -> None:
    at_work = Event()

    def watched(request: Request) -> Any:
        if "heartbeat.json" in request.path:
            at_work.set()
        return None

    cloud.faults.append(watched)
    (machines.shims / "dnf").write_text("#!/bin/bash\nsleep 600\n")
    tests = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(entry.folder)],
        env={**os.environ, "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:{tests}"},
        stderr=subprocess.DEVNULL,
    )
    try:
        assert at_work.wait(200)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()
    assert cloud.states() == ["terminated"]
