"""A recipe with a search, as a user runs it."""

import json
import sqlite3
from pathlib import Path

import pytest
from machine import Home, Outcome

from distillery.benchmarking.fingerprint import available_cores
from distillery.nouns import Findings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_INSTANCES = [1, 2][: available_cores()]
_SEARCH = f"search={{threads: [1], instances: {_INSTANCES}, tables: [{{shared_rows: 64}}]}}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(folder=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first(home: Home) -> Outcome:
    return home.compress(_SEARCH)


def test_tables_are_candidates_and_each_goal_has_its_best(home: Home, first: Outcome) -> None:
    assert first.code == 0
    names = {version["candidate_name"] for version in first.summary["versions"]}
    assert {"teacher int8 shared-64", "one-layer int8 shared-64", "one-layer int8"} <= names
    assert "one-layer-control int8 shared-64" not in names
    found = first.summary["search"]
    assert {best["goal"] for best in found["best"]} == {"latency", "throughput"}
    # teacher and student, each in PyTorch, fp32, int8 and int8 with shared rows
    assert len(found["trials"]) == 8
    assert not any(trial["reused"] for trial in found["trials"])
    judged = {one["candidate"]: one for one in found["measured"] if one["judged"]}
    winner = judged[first.summary["winner"]]
    assert winner["instances"] == 1
    rows = {row["candidate"]: row for row in first.summary["results"]}
    assert rows[first.summary["winner"]]["threads"] == winner["threads"]
    report = Path(first.summary["report"])
    assert 'id="search"' in report.read_text()
    findings = Findings.model_validate_json((report.parent / "findings.json").read_text())
    assert findings.searched is not None
    assert findings.measurements == findings.searched.judged


def test_the_champion_is_served_with_the_threads_it_won_with(home: Home, first: Outcome) -> None:
    winner = next(
        one
        for one in first.summary["search"]["measured"]
        if one["judged"] and one["candidate"] == first.summary["winner"]
    )
    version = next(v["version"] for v in first.summary["versions"] if "champion" in v["aliases"])
    with sqlite3.connect(home.folder / "storage" / "mlflow.db") as database:
        query = "select value from model_version_tags where version = ? and key = ?"
        (tag,) = database.execute(query, (version, "distillery.threads")).fetchone()
    assert tag == str(winner["threads"]) == "1", "and not one a core"


def test_run_again_nothing_is_made_or_screened_again(home: Home, first: Outcome) -> None:
    second = home.compress(_SEARCH)
    assert second.trained() == set()
    assert all(trial["reused"] for trial in second.summary["search"]["trials"])
    # one benchmark is left: the one of what may win
    assert second.log.count("benchmark: starting") == 1
    assert first.log.count("benchmark: starting") == 2


def test_check_says_how_much_would_be_measured_and_what_does_not_fit(home: Home) -> None:
    done = home.run("check", "quickstart", "--json", "--set", _SEARCH)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["search"]["screened"] == 8
    refused = home.run("check", "quickstart", "--set", "search={threads: [1000]}")
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert line.startswith("distillery: search.threads 1000 is more than the ")
