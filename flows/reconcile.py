"""Every alias and what is served, brought together; and runs that nobody owns any more, closed.

Webhooks are lossy; this is the truth. Where nothing differs it costs a look at each model.
"""

import logging

import prefect

from distillery.nouns import Decision
from distillery.registry.lock import unless_taken
from flows.closing import close_failed, close_killed
from tasks.close_lost_runs import close_lost_runs
from tasks.find_unsettled import find_unsettled
from tasks.follow_champion import follow_champion
from tasks.ownership import sign

log = logging.getLogger("distillery.reconcile")

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
    with unless_taken("reconcile") as ours:
        if not ours:
            # on a slow machine a minute may not be enough: they must not pile up
            log.info("another reconcile is at work here")
            return ()
        closed = close_lost_runs(return_state=True)
        states = [follow_champion(model, REGISTRY, return_state=True) for model in find_unsettled()]
        decided = tuple(state.result() for state in states)
        closed.result()
        return decided
