"""Which runs nobody owns any more: their flow run is over, or its process is gone. Pure.

A process on this host is looked up. One on another host is known by its heartbeat, and that of a
living one is never older than ``LOST_SECONDS``, even where the tracking server was away for two
minutes. What Prefect says is asked too: a flow run that is over leaves nothing RUNNING.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from pydantic import Field

from distillery.noun import Noun

LOST_SECONDS = 180.0

Status = Literal["FINISHED", "FAILED", "KILLED"]

_OVER: dict[str, Status] = {
    "COMPLETED": "FINISHED",
    "FAILED": "FAILED",
    "CRASHED": "KILLED",
    "CANCELLED": "KILLED",
}


class OpenFlowRun(Noun):
    """A flow run that has MLflow runs RUNNING."""

    flow_run_id: str
    owners: tuple[str, ...] = Field(description="As ``provenance.this_process`` names them.")
    heartbeat: float | None = Field(description="Seconds since 1970; None where it never beat.")
    parent_is_over: bool = Field(description="Its own MLflow run ended, and a step's did not.")


class LostRun(Noun):
    """What is to be closed, and why."""

    flow_run_id: str
    status: Status
    is_crash: bool = Field(description="Prefect has yet to hear of it.")
    reason: str


def lost(
    open_runs: Iterable[OpenFlowRun],
    states: Mapping[str, str],
    *,
    now: float,
    is_dead: Callable[[str], bool],
) -> tuple[LostRun, ...]:
    """``states``: Prefect's state types by flow run, without those that it does not know."""
    found = (_lost(run, states.get(run.flow_run_id), now, is_dead) for run in open_runs)
    return tuple(one for one in found if one is not None)


def _lost(
    run: OpenFlowRun, state: str | None, now: float, is_dead: Callable[[str], bool]
) -> LostRun | None:
    def closing(status: Status, reason: str, *, is_crash: bool) -> LostRun:
        return LostRun(flow_run_id=run.flow_run_id, status=status, is_crash=is_crash, reason=reason)

    if state in _OVER:
        return closing(_OVER[state], f"its flow run is {state}", is_crash=False)
    if run.owners and all(is_dead(owner) for owner in run.owners):
        return closing("KILLED", f"its process {', '.join(run.owners)} is gone", is_crash=True)
    if run.heartbeat is not None and now - run.heartbeat > LOST_SECONDS:
        silent = f"its process was last heard of {now - run.heartbeat:.0f} s ago"
        return closing("KILLED", silent, is_crash=True)
    if run.parent_is_over:
        return closing("KILLED", "the run that it is a step of is over", is_crash=False)
    return None
