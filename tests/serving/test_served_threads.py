"""What is served is what was measured: its threads, too."""

import json
import os
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from factories import make_candidate, make_measurement, make_quality, save_candidate
from mlflow import MlflowClient
from mlflow.pyfunc.model import PythonModelContext

from distillery import storage, tracking
from distillery.errors import UserError
from distillery.nouns import Artifact, RegisteredVersion
from distillery.registry import registration
from distillery.registry.registration import Origin
from distillery.runtimes.base import Card
from distillery.serving.base import served_threads
from distillery.serving.text_classifier import TextClassifier


@pytest.fixture(autouse=True)
def _own_store(storage_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DISTILLERY_THREADS", raising=False)
    tracking.connect()


def _stored(name: str) -> Artifact:
    """The tiny candidate under a name of its own, and so with a digest of its own."""
    with storage.new_folder() as folder:
        save_candidate(folder)
        replace(Card.read(folder), name=name).write(folder)
        return storage.put(folder, "candidate")


def _registered(threads: int) -> RegisteredVersion:
    """The tiny candidate as a version, measured with so many threads."""
    candidate = make_candidate("tiny fp32", artifact=_stored("tiny"))
    origin = Origin(
        flow_run_id="flow",
        tracking_run_id="run",
        code_version="1",
        dataset_digest="d",
        recipe_digest="r",
    )
    tracking.open_flow_run("recipe", "flow", {})
    with tracking.step_run("flow", "register") as step:
        (version,) = registration.register(
            [candidate],
            [make_quality(candidate)],
            [make_measurement(candidate, threads=threads)],
            model="m",
            origin=origin,
            step=step,
        )
    return version


def _threads_of_session(uri: str) -> int:
    loaded = mlflow.pyfunc.load_model(uri)
    assert list(loaded.predict(pd.DataFrame({"text": ["one two"]}))["label"]) == ["low"]
    session = loaded.unwrap_python_model()._engine._session
    return int(session.get_session_options().intra_op_num_threads)


def test_a_registered_version_runs_with_the_threads_that_it_was_measured_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = _registered(threads=1)
    assert tracking.tags_of(version)["distillery.threads"] == "1"
    assert _threads_of_session(version.uri) == 1
    monkeypatch.setenv("DISTILLERY_THREADS", "3")
    assert _threads_of_session(version.uri) == 3
    monkeypatch.setenv("DISTILLERY_THREADS", "many")
    with pytest.raises(UserError, match="DISTILLERY_THREADS is 'many'; give a whole number"):
        tracking.predict(version.uri, ["one"])


def test_measured_again_with_others_the_tag_says_so_and_no_version_is_added() -> None:
    first = _registered(threads=1)
    again = _registered(threads=2)
    assert again.version == first.version
    assert tracking.tags_of(again)["distillery.threads"] == "2"


def test_two_of_one_step_keep_their_own_threads_and_the_run_has_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tracking.open_flow_run("recipe", "flow", {})
    with tracking.step_run("flow", "register") as step:
        versions = [
            tracking.register(
                make_candidate(f"tiny {content}", artifact=_stored(content)),
                model="m",
                tags={},
                step=step,
                threads=threads,
            )
            for content, threads in (("one", 1), ("two", 2))
        ]
    assert "Changing param values" not in capsys.readouterr().err
    for run_id in (run.run_id, step.run_id):
        assert MlflowClient().get_run(run_id).data.params == {}
    settings = [
        json.loads(mlflow.artifacts.load_text(f"{version.uri}/artifacts/serving.json"))
        for version in versions
    ]
    assert settings == [{"threads": 1}, {"threads": 2}]


def test_a_version_from_before_these_were_a_file_keeps_its_threads(tmp_path: Path) -> None:
    candidate = save_candidate(tmp_path / "candidate")
    model = TextClassifier()
    context = PythonModelContext(  # type: ignore[no-untyped-call]
        {"candidate": str(candidate)}, {"threads": 1}
    )
    model.load_context(context)
    assert model.threads == 1


def test_no_more_threads_than_cpus_unless_told() -> None:
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert served_threads({"threads": 10_000}, {}) == here
    assert served_threads({"threads": 10_000}, {"DISTILLERY_THREADS": "9999"}) == 9999
    assert served_threads({"threads": 1}, {"DISTILLERY_THREADS": "0"}) == 0
    assert served_threads({}, {}) == 0, "of a version that was never measured: one a core"
