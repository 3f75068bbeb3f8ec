"""Watching, keeping house and making anew, as a user does it: real processes, a real registry."""

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from machine import Home, Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(folder=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first(home: Home) -> Outcome:
    return home.compress()


def _json(home: Home, *arguments: str, code: int = 0) -> Any:
    done = home.run(*arguments, "--json")
    assert done.returncode == code, done.stderr[-4000:]
    return json.loads(done.stdout)


def _tags(home: Home, key: str) -> list[str]:
    with sqlite3.connect(home.folder / "storage" / "mlflow.db") as database:
        rows = database.execute("select value from tags where key = ?", (key,)).fetchall()
    return sorted(str(row[0]) for row in rows)


def test_status_shows_the_model_and_the_run(home: Home, first: Outcome) -> None:
    found = _json(home, "status")
    (model,) = found["models"]
    assert model["name"] == "quickstart"
    assert set(model["aliases"]) == {"champion"}
    assert first.summary["winner"] in model["champion"]
    (run,) = found["flow_runs"]
    assert (run["state"], run["flow_run_id"]) == ("Finished", first.summary["flow_run_id"])
    assert found["stuck"] == []
    assert "Nothing is stuck." in home.run("status").stdout


def test_a_model_that_is_served_nowhere_is_not_watched(home: Home, first: Outcome) -> None:
    assert _json(home, "monitor") == []
    done = home.run("monitor", "quickstart")
    assert done.returncode == 2
    assert "'quickstart' is served nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_retrain_without_a_recipe_is_one_line(home: Home, first: Outcome) -> None:
    done = home.run("retrain", "nobody")
    assert done.returncode == 2
    assert "'nobody' has no champion" in done.stderr
    assert "Traceback" not in done.stderr


def test_retain_deletes_what_it_said_and_retrain_finds_the_champions_lineage_whole(
    home: Home, first: Outcome
) -> None:
    # another student, never promoted: its flow run is old, and nothing refers to it
    other = home.compress("students.0.task.0.temperature=9", "gates={accuracy_min: 1.0}")
    assert not other.summary["promoted"]
    long_ago = time.time() - 90 * 86_400
    for path in [*(home.folder / "storage").rglob("*")][::-1]:
        os.utime(path, (long_ago, long_ago))
    keep = [f"--set={name}=0" for name in ("age_days", "flow_runs", "versions")]
    before = _size(home)

    would = _json(home, "retain", *keep)
    assert not would["applied"]
    assert _size(home) == pytest.approx(before, rel=0.01)
    names = {(one["kind"], one["name"]) for one in would["plan"]["removals"]}
    assert ("report", f"reports/{other.summary['flow_run_id']}") in names
    assert ("report", f"reports/{first.summary['flow_run_id']}") not in names
    assert any(kind == "result" and "distill-student" in name for kind, name in names)

    done = _json(home, "retain", "--apply", *keep)
    assert {(one["kind"], one["name"]) for one in done["plan"]["removals"]} == names
    assert (done["removed"], done["skipped"]) == (len(names), [])
    assert _size(home) <= before - 0.9 * would["size_bytes"]
    assert _json(home, "retain", *keep)["plan"]["removals"] == []

    answer = home.run("predict", "models:/quickstart@champion", "where is my parcel?", "--json")
    assert answer.returncode == 0, answer.stderr

    again = home.run("retrain", "quickstart", "--reason", "a test", "--json")
    assert again.returncode == 0, again.stderr[-4000:]
    summary = json.loads(again.stdout)
    assert Outcome(summary=summary, log=again.stderr, code=0).trained() == set(), "lineage is whole"
    assert {v["version"] for v in summary["versions"]} >= {
        v["version"] for v in first.summary["versions"] if "champion" in v["aliases"]
    }
    champion = [v["uri"] for v in first.summary["versions"] if "champion" in v["aliases"]]
    assert f"retrain of {champion[0]}: a test" in _tags(home, "distillery.trigger")
    assert home.runs_left_running() == 0


def _size(home: Home) -> int:
    storage: Path = home.folder / "storage"
    return sum(path.stat().st_size for path in storage.rglob("*") if path.is_file())
