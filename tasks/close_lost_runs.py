"""No run stays RUNNING whose process is gone: neither in MLflow nor in Prefect."""

import logging
import time
from collections.abc import Iterable, Iterator
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from distillery import provenance, tracking
from distillery.lost_runs import LostRun, lost
from tasks.ownership import owner
from tasks.step import fresh_step

log = logging.getLogger(__name__)

_ALIVE = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_PAGE = 200


@fresh_step
def close_lost_runs() -> tuple[LostRun, ...]:
    """What was closed in MLflow, and why."""
    tracking.connect()
    with get_client(sync_client=True) as client:
        for run in _running(client):
            signed = owner(run)
            if signed is not None and provenance.is_dead(signed):
                _crash(client, run, f"its process {signed} is gone")
        open_runs = tracking.open_flow_runs()
        known = {str(run.id): run for run in _by_id(client, (o.flow_run_id for o in open_runs))}
        states = {key: run.state.type.value for key, run in known.items() if run.state}
        found = lost(open_runs, states, now=time.time(), is_dead=provenance.is_dead)
        for one in found:
            flow_run = known.get(one.flow_run_id)
            if one.is_crash and flow_run and flow_run.state and flow_run.state.type in _ALIVE:
                _crash(client, flow_run, one.reason)
            tracking.close_flow_run(one.flow_run_id, one.status)
            log.warning("closed the MLflow runs of %s: %s", one.flow_run_id, one.reason)
    return found


def _crash(client: SyncPrefectClient, run: FlowRun, why: str) -> None:
    # unforced, so that what it held of concurrency limits is given back
    client.set_flow_run_state(run.id, Crashed(message=f"Lost: {why}."))
    log.warning("flow run %s is marked CRASHED: %s", run.name, why)


def _running(client: SyncPrefectClient) -> Iterator[FlowRun]:
    alive = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_ALIVE)))
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(flow_run_filter=alive, limit=_PAGE, offset=len(found))
        found += page
        if len(page) < _PAGE:
            return iter(found)


def _by_id(client: SyncPrefectClient, flow_run_ids: Iterable[str]) -> Iterator[FlowRun]:
    ids = list(_uuids(flow_run_ids))
    for start in range(0, len(ids), _PAGE):
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=ids[start : start + _PAGE]))
        yield from client.read_flow_runs(flow_run_filter=chosen, limit=_PAGE)


def _uuids(texts: Iterable[str]) -> Iterator[UUID]:
    for text in texts:
        try:
            yield UUID(text)
        except ValueError:
            continue  # no flow run of Prefect's
