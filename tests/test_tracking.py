"""MLflow's door, against a real SQLite store."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from distillery import storage, tracking
from distillery.errors import UserError
from distillery.nouns import Candidate, Epoch
from distillery.runtimes.base import Card


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.connect()


def _candidate(content: str) -> Candidate:
    with storage.new_folder() as folder:
        card = Card(
            name=content, label_names=("a", "b"), max_length=8, is_pair=False, pad_token_id=0
        )
        card.write(folder)
        (folder / "model.onnx").write_text(content)
        artifact = storage.put(folder, "candidate")
    return Candidate(
        name=f"{content} int8",
        role="student",
        runtime="onnxruntime",
        precision="int8",
        artifact=artifact,
        size_bytes=1,
        checkpoint_name=content,
        checkpoint_digest="c",
        parent_digest=None,
        label_names=("a", "b"),
    )


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


def test_equal_content_is_registered_once() -> None:
    tracking.open_flow_run("recipe", "flow-1", {})
    candidate = _candidate("one")
    with tracking.step_run("flow-1", "register") as step:
        first = tracking.register(candidate, model="m", tags={"k": "v"}, step=step)
        again = tracking.register(candidate, model="m", tags={"k": "v"}, step=step)
        other = tracking.register(_candidate("two"), model="m", tags={}, step=step)
    assert again == first
    assert other.version != first.version
    assert len(MlflowClient().search_model_versions("name = 'm'")) == 2


def test_an_alias_names_one_version_and_then_another() -> None:
    tracking.open_flow_run("recipe", "flow-1", {})
    assert tracking.champion("m") is None
    with tracking.step_run("flow-1", "register") as step:
        first = tracking.register(_candidate("one"), model="m", tags={}, step=step)
        second = tracking.register(_candidate("two"), model="m", tags={}, step=step)
    for version in (first, second, second):
        tracking.set_alias(version, tracking.CHAMPION)
        champion = tracking.champion("m")
        assert champion is not None
        assert champion.version == version.version
    assert tracking.version_by_alias("m", tracking.PREVIOUS) is None


def test_what_is_downloaded_is_what_was_registered() -> None:
    tracking.open_flow_run("recipe", "flow-1", {})
    candidate = _candidate("one")
    with tracking.step_run("flow-1", "register") as step:
        version = tracking.register(candidate, model="m", tags={}, step=step)
    assert tracking.download(version).digest == candidate.digest


def test_a_dead_server_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 does not answer.*unset"):
        tracking.connect()


def test_predicting_with_no_such_model_is_one_clear_line() -> None:
    with pytest.raises(UserError, match="cannot load 'models:/nope@champion'"):
        tracking.predict("models:/nope@champion", ["text"])
