"""Which runs nobody owns any more, and which are merely elsewhere."""

from typing import Any

import pytest

from distillery.lost_runs import LOST_SECONDS, OpenFlowRun, lost

NOW = 1_000_000.0
HERE_DEAD, HERE_ALIVE, ELSEWHERE = "here:1:1", "here:2:2", "there:3:3"


def _open(**overrides: Any) -> OpenFlowRun:
    fields = {
        "flow_run_id": "flow",
        "owners": (ELSEWHERE,),
        "heartbeat": NOW - 5,
        "parent_is_over": False,
    }
    return OpenFlowRun.model_validate(fields | overrides)


@pytest.mark.parametrize(
    ("run", "state", "status", "is_crash"),
    [
        # what Prefect says is over, is
        (_open(), "COMPLETED", "FINISHED", False),
        (_open(), "FAILED", "FAILED", False),
        (_open(), "CRASHED", "KILLED", False),
        (_open(), "CANCELLED", "KILLED", False),
        # it says RUNNING for ever where the worker died too
        (_open(owners=(HERE_DEAD,)), "RUNNING", "KILLED", True),
        (_open(heartbeat=NOW - LOST_SECONDS - 1), "RUNNING", "KILLED", True),
        # a temporary server is forgotten with its runs
        (_open(owners=(HERE_DEAD,)), None, "KILLED", True),
        (_open(heartbeat=NOW - LOST_SECONDS - 1), None, "KILLED", True),
        (_open(parent_is_over=True, heartbeat=None), None, "KILLED", False),
    ],
)
def test_what_is_lost_is_closed(
    run: OpenFlowRun, state: str | None, status: str, is_crash: bool
) -> None:
    states = {} if state is None else {"flow": state}
    (found,) = lost([run], states, now=NOW, is_dead=HERE_DEAD.__eq__)
    assert (found.status, found.is_crash) == (status, is_crash)


@pytest.mark.parametrize(
    "run",
    [
        _open(),
        _open(heartbeat=NOW - LOST_SECONDS + 1),
        _open(owners=(HERE_ALIVE,), heartbeat=None),
        _open(owners=(HERE_ALIVE, HERE_DEAD)),
        _open(owners=(), heartbeat=None),
    ],
)
@pytest.mark.parametrize("state", [None, "RUNNING", "SCHEDULED", "PENDING"])
def test_what_lives_is_left_alone(run: OpenFlowRun, state: str | None) -> None:
    states = {} if state is None else {"flow": state}
    assert lost([run], states, now=NOW, is_dead=HERE_DEAD.__eq__) == ()
