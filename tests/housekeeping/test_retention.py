"""Plans over listings that are written by hand."""

from typing import Any

import pytest

from distillery.housekeeping.inventory import (
    Inventory,
    LoggedModel,
    Stored,
    StoredKind,
    TrackedRun,
    Version,
)
from distillery.housekeeping.retention import Plan, Retention, plan

NOW = 1_000_000_000.0
OLD = NOW - 90 * 86_400
KEEP = Retention(age_days=30, flow_runs=0, versions=0)


def _run(run_id: str, flow_run_id: str, **of: Any) -> TrackedRun:
    fields = {
        "run_id": run_id,
        "experiment_id": "1",
        "name": run_id,
        "flow_run_id": flow_run_id,
        "is_parent": True,
        "watches": "",
        "is_running": False,
        "is_condemned": False,
        "started_at": OLD,
        "changed_at": OLD,
        "digests": (),
        "size_bytes": 10,
    }
    return TrackedRun.model_validate(fields | of)


def _version(number: str, flow_run_id: str, **of: Any) -> Version:
    fields = {
        "model": "m",
        "version": number,
        "aliases": (),
        "created_at": OLD,
        "model_id": f"m-{number}",
        "flow_run_id": flow_run_id,
        "run_id": "",
        "parent_version": None,
        "digests": (),
    }
    return Version.model_validate(fields | of)


def _stored(kind: StoredKind, path: str, used_at: float = OLD, **of: Any) -> Stored:
    return Stored(kind=kind, path=path, used_at=used_at, size_bytes=100, **of)


def _planned(keep: Retention = KEEP, **found: Any) -> Plan:
    empty: dict[str, Any] = dict.fromkeys(
        ("runs", "versions", "logged_models", "stored", "served", "silent"), ()
    )
    return plan(Inventory(now=NOW, **(empty | found)), keep)


def _gone(planned: Plan) -> list[str]:
    return [removal.name for removal in planned.removals]


def _digest(letter: str) -> str:
    return letter * 64


def _path(kind: str, letter: str) -> str:
    return f"artifacts/{kind}/{letter * 24}"


def test_a_cached_teachers_flow_run_stays_with_the_champion_that_came_from_it() -> None:
    found: dict[str, Any] = {
        "runs": [
            _run("a" * 32, "trained the teacher"),
            _run("b" * 32, "made the champion"),
            _run("c" * 32, "made nothing"),
        ],
        "versions": [_version("1", "made the champion", aliases=("champion",))],
        "stored": [_stored("report", "reports/made the champion", runs=("a" * 32,))],
    }
    assert _gone(_planned(**found)) == ["c" * 32]


def test_what_a_kept_result_refers_to_stays_and_else_goes_after_its_result() -> None:
    result = _stored(
        "result", "results/step-1", digests=(_digest("a"),), artifacts=(_path("checkpoint", "a"),)
    )
    artifact = _stored("artifact", _path("checkpoint", "a"))
    both = _planned(stored=[artifact, result])
    assert _gone(both) == ["results/step-1", _path("checkpoint", "a")]
    used = result.model_copy(update={"used_at": NOW})
    assert _gone(_planned(stored=[artifact, used])) == []


def test_soft_labels_stay_where_teacher_and_texts_do() -> None:
    of_lineage: dict[str, Any] = {
        "versions": [
            _version("1", "f", aliases=("champion",), digests=(_digest("a"), _digest("b")))
        ],
        "stored": [
            _stored(
                "result",
                f"results/{name}",
                digests=(_digest(own), _digest("a"), _digest(texts)),
                artifacts=(_path("soft-labels", own),),
            )
            for name, own, texts in (("of-the-data", "c", "b"), ("of-others", "d", "e"))
        ],
    }
    assert _gone(_planned(**of_lineage)) == ["results/of-others"]


def test_who_stays_keeps_its_ancestors_and_their_files() -> None:
    chain = [
        _version("1", "f1"),
        _version("2", "f2", parent_version="1"),
        _version("3", "f3", parent_version="2", aliases=("previous",)),
        _version("4", "f4", parent_version="1"),
    ]
    files = [
        LoggedModel(
            model_id=f"m-{n}",
            run_id="",
            is_condemned=False,
            is_foreign=False,
            created_at=OLD,
            size_bytes=5,
        )
        for n in (1, 2, 3, 4, 9)
    ]
    planned = _planned(versions=chain, logged_models=files)
    assert _gone(planned) == ["m/4", "m-4", "m-9"]
    assert planned.size_bytes == 10
    assert {one.name: one.why for one in planned.kept} == {
        "m/3": "previous",
        "m/2": "parent of version 3",
        "m/1": "parent of version 2",
    }


def test_what_was_used_since_a_running_flow_run_began_stays() -> None:
    used = NOW - 40 * 86_400
    stored = [
        _stored("artifact", _path("dataset", "a"), used),
        _stored("work", "work/new-1", used),
        _stored("report", "reports/old", used),
    ]
    assert len(_gone(_planned(stored=stored))) == 3
    running = _run("r", "slow", is_running=True, started_at=used - 1, changed_at=used - 1)
    planned = _planned(stored=stored, runs=[running])
    assert _gone(planned) == []
    assert "flow runs that are RUNNING: 1;" in planned.told[0]


@pytest.mark.parametrize(
    ("path", "used_at", "why"),
    [
        ("work/gone-1", NOW, "its deletion was begun"),
        ("work/new-1", NOW - 2 * 86_400, "a killed process left it"),
        ("work/damaged-1", NOW - 2 * 86_400, "a killed process left it"),
        ("work/distill-1", NOW - 2 * 86_400, "its step is finished"),
        ("work/distill-2", NOW - 2 * 86_400, None),
        ("work/distill-2", OLD, "not used for 90 days"),
        ("work/new-1", NOW, None),
    ],
)
def test_work_goes_by_what_it_is(path: str, used_at: float, why: str | None) -> None:
    finished = _stored("result", "results/distill-1", NOW)
    planned = _planned(stored=[finished, _stored("work", path, used_at)])
    assert [removal.why for removal in planned.removals] == ([why] if why else [])


def test_a_watching_run_goes_with_its_version() -> None:
    watching = [_run("w1", "", watches="m/1"), _run("w2", "", watches="m/2")]
    kept = _version("1", "f", aliases=("champion",))
    assert _gone(_planned(runs=watching, versions=[kept])) == ["w2"]
