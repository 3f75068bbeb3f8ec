"""Runs, against a real SQLite store: found again by a retry, and closed whatever happens."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from distillery import tracking
from distillery.nouns import Epoch


@pytest.fixture(autouse=True)
def _store(tracking_store: Path) -> None: ...


def _status(run_id: str) -> str:
    return str(MlflowClient().get_run(run_id).info.status)


def test_a_retried_step_reopens_its_run() -> None:
    tracking.open_flow_run("recipe", "flow-1", {})
    with pytest.raises(RuntimeError, match="boom"), tracking.step_run("flow-1", "teacher") as first:
        raise RuntimeError("boom")
    assert _status(first.run_id) == "FAILED"
    with tracking.step_run("flow-1", "teacher") as second:
        second.epoch(Epoch(epoch=1, train_loss=0.5, validation_loss=0.6, validation_accuracy=0.7))
    assert second.run_id == first.run_id
    assert _status(first.run_id) == "FINISHED"
    metrics = MlflowClient().get_run(first.run_id).data.metrics
    assert metrics["validation_accuracy"] == pytest.approx(0.7)


def test_a_retried_flow_reopens_its_parent_and_steps_are_its_children() -> None:
    parent = tracking.open_flow_run("recipe", "flow-1", {})
    assert tracking.open_flow_run("recipe", "flow-1", {}).run_id == parent.run_id
    with tracking.step_run("flow-1", "teacher") as step:
        pass
    tags = MlflowClient().get_run(step.run_id).data.tags
    assert tags["mlflow.parentRunId"] == parent.run_id


def test_closing_a_flow_run_leaves_nothing_running() -> None:
    parent = tracking.open_flow_run("recipe", "flow-1", {})
    other = tracking.open_flow_run("recipe", "flow-2", {})
    tracking.close_flow_run("flow-1", "FAILED")
    assert _status(parent.run_id) == "FAILED"
    assert _status(other.run_id) == "RUNNING"


def test_cancelling_kills_what_reads_failed_and_keeps_what_finished() -> None:
    parent = tracking.open_flow_run("recipe", "flow-1", {})
    with tracking.step_run("flow-1", "data") as finished:
        pass
    with pytest.raises(RuntimeError), tracking.step_run("flow-1", "teacher") as cut:
        raise RuntimeError("cancelled")
    tracking.mark_cancelled("flow-1")
    assert _status(parent.run_id) == "KILLED"
    assert _status(cut.run_id) == "KILLED"
    assert _status(finished.run_id) == "FINISHED"


def test_runs_of_a_dead_process_are_closed_and_those_of_a_living_one_are_not() -> None:
    living = tracking.open_flow_run("recipe", "flow-living", {})
    script = (
        "from distillery import tracking; tracking.connect();"
        "print(tracking.open_flow_run('recipe', 'flow-dead', {}).run_id);"
        "import os, signal, sys; sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9
    dead = done.stdout.strip()
    assert _status(dead) == "RUNNING"
    assert tracking.close_orphans() == 1
    assert _status(dead) == "KILLED"
    assert _status(living.run_id) == "RUNNING"
