"""Every alias and what is served, brought together; and runs that nobody owns any more, closed.

Webhooks are lossy; this is the truth. Where nothing differs it costs a look at each model.
"""

import prefect

from distillery.nouns import Decision
from flows.closing import close_failed, close_killed
from tasks.close_lost_runs import close_lost_runs
from tasks.find_unsettled import find_unsettled
from tasks.follow_champion import follow_champion
from tasks.ownership import sign

# who moved an alias is not known: neither the registry nor its webhooks tell
REGISTRY = "MLflow registry"


@prefect.flow(
    name="reconcile",
    description="Compare each champion with what is served, and close runs that were lost.",
    persist_result=False,
    on_failure=[close_failed],
    on_cancellation=[close_killed],
    on_crashed=[close_killed],
)
def reconcile() -> tuple[Decision, ...]:
    """What was decided. One model's trouble keeps no other from its turn, and is raised last."""
    sign()
    closed = close_lost_runs(return_state=True)
    states = [follow_champion(model, REGISTRY, return_state=True) for model in find_unsettled()]
    decided = tuple(state.result() for state in states)
    closed.result()
    return decided
