"""Things die while a run goes on, with real processes: whatever ends, nothing finished is repeated,
no MLflow run stays RUNNING, nothing is there twice, and no slot stays taken."""

import http.server
import os
import signal
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from machine import TINY
from team import Team
from test_whole_loop import Registry

from distillery import recipe_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

# how long MLflow is away; a longer outage costs the run as much time, and no more
_OUTAGE_SECONDS = float(os.environ.get("DISTILLERY_TEST_OUTAGE_SECONDS", "20"))
_ON = 'attributes.status = "RUNNING"'


class Run:
    """A run of its own: nobody else's steps are in the cache for it."""

    def __init__(self, team: Team, name: str, seed: int) -> None:
        self.team, self.name = team, name
        # long enough to be disturbed, short enough to wait for
        overrides = [
            "teacher.training={epochs: 6, learning_rate: 2.0e-3}",
            "control=false",
            "export.quantizations=[]",
            f"name={name}",
            f"seeds=[{seed}]",
        ]
        recipe = recipe_files.load("quickstart", [*TINY, *overrides])
        self._parameters = {"recipe": recipe.model_dump(mode="json", exclude_none=True)}
        self.id = ""

    def start(self) -> "Run":
        self.id = self.team.start_run("compress/compress", self._parameters)["id"]
        return self

    def in_training(self) -> "Run":
        """Once an epoch of the teacher is done."""
        self.team.eventually(lambda: self.progress() > 0, within_s=240)
        return self

    def completed(self) -> Any:
        ended = self.team.ended(self.id, within_s=500)
        assert ended["state"]["type"] == "COMPLETED", (
            f"{ended['state']['message']}: {_lines(self)[-3000:]}"
        )
        return ended

    def process(self) -> psutil.Process:
        """The flow run's own, a descendant of the worker's."""
        worker = psutil.Process(self.team.stack.pid("worker"))

        def found() -> psutil.Process | None:
            for child in worker.children(recursive=True):
                try:
                    if child.environ().get("PREFECT__FLOW_RUN_ID") == self.id:
                        return child
                except psutil.Error:
                    continue
            return None

        process: psutil.Process = self.team.eventually(found)
        return process

    def progress(self) -> float:
        """Of its trainings, the furthest; percent."""
        asked = {"artifacts": {"flow_run_id": {"any_": [self.id]}, "key": {"like_": "training-"}}}
        _, found = self.team.prefect("POST", "/artifacts/filter", asked)
        return max((float(one["data"]) for one in found), default=0.0)

    def tracked(self) -> list[str]:
        """The statuses of the MLflow runs of this flow run."""
        return [one["info"]["status"] for one in _runs(self.team, self.id)]


@contextmanager
def _answering_500(address: str) -> Iterator[list[str]]:
    """In the place of a server that ended; what it was asked."""
    asked: list[str] = []

    class Broken(http.server.BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                asked.append(self.path)
                self.close_connection = True
                self.send_error(500)

    where = urllib.parse.urlsplit(address)
    server = http.server.ThreadingHTTPServer((str(where.hostname), int(where.port or 0)), Broken)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _runs(team: Team, flow_run_id: str) -> list[Any]:
    registry = Registry(team)
    experiments = registry.call("experiments/search", {"max_results": 1000})["experiments"]
    found = registry.call(
        "runs/search",
        {
            "experiment_ids": [one["experiment_id"] for one in experiments],
            "filter": f"tags.`distillery.flow_run_id` = '{flow_run_id}'",
            "max_results": 1000,
        },
    )
    return list(found.get("runs", []))


def _is_tidy(run: Run) -> None:
    """One MLflow run a step, none RUNNING; one registered version a digest."""
    tracked = _runs(run.team, run.id)
    assert {one["info"]["status"] for one in tracked} == {"FINISHED"}
    names = [one["info"]["run_name"] for one in tracked]
    assert len(set(names)) == len(names), names
    registry = Registry(run.team)
    found = registry.call("model-versions/search", filter=f"name='{run.name}'")["model_versions"]
    digests = [
        tag["value"]
        for one in found
        for tag in registry.call("model-versions/get", name=run.name, version=one["version"])[
            "model_version"
        ]["tags"]
        if tag["key"] == "distillery.digest"
    ]
    assert len(digests) == len(found)
    assert len(set(digests)) == len(digests)


def test_servers_that_go_away_under_two_runs_of_one_recipe(team: Team) -> None:
    """Prefect, PostgreSQL, the store, MLflow and the worker, one after the other."""
    both = [Run(team, "outages", 101).start() for _ in range(2)]
    # one trains, the other waits for it
    team.eventually(lambda: any(run.progress() > 0 for run in both), within_s=240)
    team.stack.kill("worker", alone=True)
    team.stack.restart("prefect")
    team.stack.restart("postgres")
    team.stack.kill("store")
    team.stack.kill("mlflow")
    time.sleep(_OUTAGE_SECONDS)
    team.stack.restart("store")
    team.stack.restart("mlflow")
    team.stack.restart("worker")
    for run in both:
        run.completed()
        _is_tidy(run)
    # whoever came second waited for the teacher of the first
    names = [one["info"]["run_name"] for run in both for one in _runs(team, run.id)]
    assert names.count("teacher") == 1, names


def test_a_store_that_answers_500(team: Team) -> None:
    run = Run(team, "broken-store", 103).start().in_training()
    team.stack.kill("store")
    with _answering_500(team.stack.settings.store_address) as asked:
        team.eventually(lambda: len(asked) > 2, within_s=240)
    team.stack.restart("store")
    run.completed()
    _is_tidy(run)


def test_a_killed_flow_process(team: Team) -> None:
    run = Run(team, "killed-flow", 102).start().in_training()
    run.process().send_signal(signal.SIGKILL)
    ended = team.ended(run.id, within_s=120)
    assert ended["state"]["type"] == "CRASHED", ended["state"]
    team.eventually(lambda: "RUNNING" not in run.tracked())
    assert set(run.tracked()) <= {"FINISHED", "KILLED"}
    again = Run(team, "killed-flow", 102).start()
    again.completed()
    # the teacher was in training: it went on from its last whole epoch
    assert "resuming from" in _lines(again)
    _is_tidy(again)


def test_worker_and_flow_both_killed(team: Team) -> None:
    run = Run(team, "killed-both", 104).start().in_training()
    team.stack.kill("worker")
    assert "RUNNING" in run.tracked()
    team.stack.restart("worker")
    # its schedule runs reconcile each minute: that alone mends it, within five
    team.eventually(lambda: "RUNNING" not in run.tracked(), within_s=300)
    _, flow_run = team.prefect("GET", f"/flow_runs/{run.id}")
    assert flow_run["state"]["type"] == "CRASHED"


def test_a_cancelled_run_and_its_retry(team: Team) -> None:
    run = Run(team, "cancelled", 106).start().in_training()
    body = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
    team.prefect("POST", f"/flow_runs/{run.id}/set_state", body)
    ended = team.ended(run.id, within_s=120)
    assert ended["state"]["type"] == "CANCELLED"
    team.eventually(lambda: "RUNNING" not in run.tracked())
    assert set(run.tracked()) <= {"FINISHED", "KILLED"}
    before = len(run.tracked())
    # as the page's Retry does: the same flow run again, which reopens its MLflow runs
    body = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
    team.prefect("POST", f"/flow_runs/{run.id}/set_state", body)
    team.eventually(
        lambda: team.prefect("GET", f"/flow_runs/{run.id}")[1]["state"]["type"] == "RUNNING"
    )
    run.completed()
    assert len(run.tracked()) > before
    _is_tidy(run)


def test_no_slot_stays_taken(team: Team) -> None:
    """After all of the above, and a lease's length."""

    def all_free() -> bool:
        _, limits = team.prefect("POST", "/v2/concurrency_limits/filter", {})
        return all(one["active_slots"] == 0 for one in limits)

    assert team.eventually(all_free, within_s=120)


def _lines(run: Run) -> str:
    asked = {"logs": {"flow_run_id": {"any_": [run.id]}}, "limit": 200}
    _, found = run.team.prefect("POST", "/logs/filter", asked)
    return " ".join(one["message"] for one in found)
