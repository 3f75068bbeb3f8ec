"""Registered versions, against a real SQLite store."""

from pathlib import Path

import pytest
from factories import store_candidate
from mlflow import MlflowClient

from distillery import tracking


@pytest.fixture(autouse=True)
def _store(tracking_store: Path) -> None: ...


def test_equal_content_is_registered_once() -> None:
    tracking.open_flow_run("recipe", "flow-1", {})
    candidate = store_candidate("one")
    with tracking.step_run("flow-1", "register") as step:
        first = tracking.register(candidate, model="m", tags={"k": "v"}, step=step)
        again = tracking.register(candidate, model="m", tags={"k": "v"}, step=step)
        other = tracking.register(store_candidate("two"), model="m", tags={}, step=step)
    assert again == first
    assert other.version != first.version
    assert len(MlflowClient().search_model_versions("name = 'm'")) == 2


def test_an_alias_names_one_version_and_then_another() -> None:
    tracking.open_flow_run("recipe", "flow-1", {})
    assert tracking.champion("m") is None
    with tracking.step_run("flow-1", "register") as step:
        first = tracking.register(store_candidate("one"), model="m", tags={}, step=step)
        second = tracking.register(store_candidate("two"), model="m", tags={}, step=step)
    for version in (first, second, second):
        tracking.set_alias(version, tracking.CHAMPION)
        champion = tracking.champion("m")
        assert champion is not None
        assert champion.version == version.version
    assert tracking.version_by_alias("m", tracking.PREVIOUS) is None


def test_what_is_downloaded_is_what_was_registered() -> None:
    tracking.open_flow_run("recipe", "flow-1", {})
    candidate = store_candidate("one")
    with tracking.step_run("flow-1", "register") as step:
        version = tracking.register(candidate, model="m", tags={}, step=step)
    assert tracking.download(version).digest == candidate.digest
