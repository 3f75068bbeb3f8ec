"""``distillery deploy-flows`` on a real Prefect server: once done, nothing is left to do."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from team import Team

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _state(team: Team) -> dict[str, Any]:
    """All that deploy-flows writes, whenever it was written."""
    asked = {
        path: team.prefect("POST", f"/{path}/filter", {})[1]
        for path in ("deployments", "work_pools", "automations", "v2/concurrency_limits")
    }
    return {path: [_timeless(one) for one in found] for path, found in asked.items()}


def _timeless(value: Any) -> Any:
    passing = ("last_polled", "status")
    match value:
        case {"id": _, "limit": limit, "active_slots": _, "name": name}:
            return {"name": name, "limit": limit}  # runs take slots meanwhile
        case dict():
            return {k: _timeless(v) for k, v in value.items() if k not in passing}
        case list():
            return [_timeless(one) for one in value]
    return value


def _deploy(team: Team) -> dict[str, str]:
    done = team.run("deploy-flows", "--json")
    assert done.returncode == 0, done.stderr
    changes: dict[str, str] = json.loads(done.stdout)
    return changes


def _deployment(team: Team, name: str) -> Any:
    return team.prefect("GET", f"/deployments/name/{name}/{name}")[1]


def test_a_second_run_changes_nothing(team: Team) -> None:
    before = _state(team)
    changes = _deploy(team)
    assert set(changes.values()) == {"unchanged"}
    assert _state(team) == before, "not even when it was last changed"
    assert {what for what in changes if what.startswith("deployment")} == {
        f"deployment {name}/{name}"
        for name in (
            *("compress", "benchmark", "promote", "deploy", "rollback", "reconcile", "monitor"),
            *("retrain", "retain", "sweep"),
        )
    }


def test_what_drifted_is_put_back_and_what_a_person_switched_stays(team: Team) -> None:
    reconcile = _deployment(team, "reconcile")
    (schedule,) = reconcile["schedules"]
    path = f"/deployments/{reconcile['id']}"
    team.prefect("PATCH", f"{path}/schedules/{schedule['id']}", {"active": False})
    team.prefect("PATCH", path, {"description": "changed by hand", "tags": []})
    try:
        changes = _deploy(team)
        assert changes["deployment reconcile/reconcile"] == "changed"
        assert [what for what, change in changes.items() if change != "unchanged"] == [
            "deployment reconcile/reconcile"
        ]
        after = _deployment(team, "reconcile")
        assert after["id"] == reconcile["id"]
        assert after["description"] == reconcile["description"]
        assert after["tags"] == reconcile["tags"]
        assert [one["active"] for one in after["schedules"]] == [False]
        assert [one["id"] for one in after["schedules"]] == [schedule["id"]]
        assert set(_deploy(team).values()) == {"unchanged"}
    finally:
        team.prefect("PATCH", f"{path}/schedules/{schedule['id']}", {"active": True})


def test_what_costs_money_is_off_and_the_reconciler_is_on(team: Team) -> None:
    active = {
        name: [one["active"] for one in _deployment(team, name)["schedules"]]
        for name in ("compress", "retrain", "retain", "reconcile")
    }
    assert active == {"compress": [], "retrain": [False], "retain": [False], "reconcile": [True]}


def test_a_full_deployment_makes_the_next_run_wait(team: Team) -> None:
    benchmark = _deployment(team, "benchmark")
    assert benchmark["global_concurrency_limit"]["limit"] == 1
    assert benchmark["concurrency_options"]["collision_strategy"] == "ENQUEUE"


def test_drift_starts_a_retraining_of_that_model(team: Team) -> None:
    emit = (
        "from prefect.events import emit_event\n"
        "emit_event('distillery.drift', {'prefect.resource.id': 'distillery.model.intents'},"
        " payload={'reason': 'class shares moved by 0.4'})\n"
    )
    subprocess.run([sys.executable, "-c", emit], env=team.environment, check=True, timeout=120)
    retrain = _deployment(team, "retrain")
    runs = team.eventually(
        lambda: team.prefect(
            "POST",
            "/flow_runs/filter",
            {"deployments": {"id": {"any_": [retrain["id"]]}}},
        )[1]
    )
    assert runs[0]["parameters"] == {"model": "intents", "reason": "class shares moved by 0.4"}


@pytest.mark.parametrize("kind", ["docker", "kubernetes", "ecs"])
def test_other_pools_are_made_from_their_templates(team: Team, kind: str) -> None:
    # on the server, without a worker of that kind
    script = (
        "from prefect.client.orchestration import get_client\n"
        "from flows.deploying import _work_pool\n"
        "with get_client(sync_client=True) as client:\n"
        f"    print(_work_pool(client, 'pool-{kind}', {kind!r}))\n"
        f"    print(_work_pool(client, 'pool-{kind}', {kind!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=team.environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["made", "unchanged"], done.stderr
    _, pool = team.prefect("GET", f"/work_pools/pool-{kind}")
    assert pool["type"] == kind
    team.prefect("DELETE", f"/work_pools/pool-{kind}")


def test_without_a_server_it_says_what_to_do(tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "deploy-flows"],
        env={**kept, "PREFECT_HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "PREFECT_API_URL names no server to deploy to; `make stack` starts one" in done.stderr
