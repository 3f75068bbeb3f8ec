"""As a user runs it: the command line, a Prefect flow, a report; AWS is moto's server."""

import json
import os
import signal
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from factories import make_entry
from machine import Home

from aws.cloud import Cloud, Machines, Request, ec2_error

_SCENARIO = [
    *("--scenario", "requests=100", "--scenario", "rounds=2"),
    *("--scenario", "offline={batch_sizes: [1], batches: 3}", "--scenario", "cold_starts=0"),
    *("--scenario", "server={p99_objective_ms: 500, rates: 1}"),
]


@pytest.fixture
def home(tmp_path: Path, cloud: Cloud) -> Home:
    (tmp_path / "home").mkdir()
    make_entry(tmp_path / "home" / "tiny")
    (tmp_path / "home" / "texts.txt").write_text("one two\ntwo\nthree one two\n")
    return Home(folder=tmp_path / "home")


def _asked(*more: str) -> list[str]:
    target = ["--target", "aws:c7i.2xlarge"]
    return ["benchmark", "./tiny", "--texts", "texts.txt", *target, *_SCENARIO, *more]


def test_a_dry_run_tells_the_cost_and_starts_nothing(home: Home, cloud: Cloud) -> None:
    done = home.run(*_asked("--dry-run"))
    assert done.returncode == 0, done.stderr
    assert "Worst case $0.42 of $5.00" in done.stdout
    assert "nothing was started" in done.stdout
    assert cloud.instances() == []

    done = home.run(*_asked("--dry-run", "--json", "--aws", "minutes_max=50"))
    plan = json.loads(done.stdout)["plan"]
    assert (plan["region"], plan["usd_worst"]) == ("us-east-1", pytest.approx(0.357))

    capped = home.run(*_asked("--aws", "cost_usd_max=0.1"))
    assert (capped.returncode, capped.stdout) == (2, "")
    assert "could cost $0.42, more than aws.cost_usd_max $0.10" in capped.stderr
    assert "Traceback" not in capped.stderr
    assert cloud.instances() == []


@pytest.mark.slow
def test_a_flow_that_was_killed_is_run_again_and_rents_nothing_twice(
    home: Home, cloud: Cloud, machines: Machines
) -> None:
    at_work, go_on = Event(), Event()

    def watched(request: Request) -> Any:
        if "heartbeat.json" in request.path and b"benchmarking" in request.body:
            at_work.set()
            go_on.wait(120)
        return None

    cloud.faults.append(watched)
    killed = home.start(*_asked())
    assert at_work.wait(120)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    go_on.set()

    done = home.run(*_asked("--json"))
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads(done.stdout)
    (row,) = summary["instances"]
    assert (row["target"], row["is_recommended"]) == ("aws:c7i.2xlarge", True)
    assert row["cost_per_million_usd"] == pytest.approx(
        0.357 / (row["rate_per_second"] * 3600) * 1e6
    )
    page = Path(summary["report"]).read_text()
    assert "aws:c7i.2xlarge is the cheapest that holds p99 ≤ 500 ms" in page
    assert "Published by others, not measured here" in page
    assert len([one for one in cloud.seen if one.action == "RunInstances"]) == 1
    assert cloud.states() == ["terminated"]
    assert cloud.keys("runs/") == [], "what is reported is not found again"
    assert home.runs_left_running() == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_recipe_is_judged_here_and_measured_there_as_well(
    home: Home, cloud: Cloud, machines: Machines
) -> None:
    server = "{p99_objective_ms: 500, rates: 1}"
    few = f"{{requests: 100, rounds: 2, offline: {{batches: 3}}, server: {server}}}"
    outcome = home.compress("targets=[cpu, 'aws:c7i.2xlarge']", "control=false", f"benchmark={few}")
    measured = outcome.summary["measurements"]
    there = {one["candidate"] for one in measured if one["target"] == "aws:c7i.2xlarge"}
    assert there == {one["candidate"] for one in measured if one["target"] == "cpu"}
    # torch comes along for the teacher, which speed-ups are counted from
    assert "teacher pytorch" in there
    assert {row["target"] for row in outcome.summary["instances"]} == {"aws:c7i.2xlarge"}
    here = {row["candidate"]: row["p50_ms"] for row in outcome.summary["results"]}
    for one in measured:
        if one["target"] == "cpu":
            p50 = one["single_stream"][0]["end_to_end"]["p50_ms"]["value"]
            assert here[one["candidate"]] == p50, "what is judged was measured here"
    assert cloud.states() == ["terminated"]
    assert cloud.keys("runs/") == []


def test_check_and_sweep(home: Home, cloud: Cloud) -> None:
    done = home.run("aws", "check", "--target", "aws:c7i.2xlarge")
    assert done.returncode == 0, done.stderr
    assert "missing" not in done.stdout
    swept = home.run("aws", "sweep")
    assert (swept.returncode, swept.stdout) == (0, "Nothing of distillery's runs there.\n")

    cloud.faults.append(
        lambda request: (
            ec2_error(403, "ExpiredToken") if request.action == "GetCallerIdentity" else None
        )
    )
    done = home.run("aws", "check", "--json")
    assert done.returncode == 2
    (identity,) = json.loads(done.stdout)
    assert "the AWS credentials have expired" in identity["problem"]
    swept = home.run("aws", "sweep")
    assert swept.returncode == 2
    assert "Traceback" not in swept.stderr
