"""What is served is what was measured: its threads, too."""

import os
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from factories import make_candidate, make_measurement, make_quality, save_candidate

from distillery import storage, tracking
from distillery.errors import UserError
from distillery.nouns import RegisteredVersion
from distillery.registry import registration
from distillery.registry.registration import Origin
from distillery.serving.base import served_threads


@pytest.fixture(autouse=True)
def _own_store(storage_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DISTILLERY_THREADS", raising=False)
    tracking.connect()


def _registered(threads: int) -> RegisteredVersion:
    """The tiny candidate as a version, measured with so many threads."""
    with storage.new_folder() as folder:
        save_candidate(folder)
        artifact = storage.put(folder, "candidate")
    candidate = make_candidate("tiny fp32", artifact=artifact)
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


def test_no_more_threads_than_cpus_unless_told() -> None:
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert served_threads({"threads": 10_000}, {}) == here
    assert served_threads({"threads": 10_000}, {"DISTILLERY_THREADS": "9999"}) == 9999
    assert served_threads({"threads": 1}, {"DISTILLERY_THREADS": "0"}) == 0
    assert served_threads({}, {}) == 0, "of a version that was never measured: one a core"
