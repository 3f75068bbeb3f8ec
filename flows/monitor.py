"""What is served, held against what was learned; what drifts is announced."""

import prefect

from distillery import tracking
from distillery.errors import UserError
from distillery.monitoring.drift import Drift
from distillery.monitoring.watching import Watched
from distillery.recipe import Data
from tasks.announce_drift import announce_drift
from tasks.find_watched import find_watched
from tasks.ownership import sign
from tasks.record_watch import record_watch
from tasks.watch_model import watch_model


@prefect.flow(
    name="monitor",
    description="Compare what is served with what was learned: classes, input lengths, accuracy.",
    persist_result=False,
)
def monitor(
    model: str | None = None, limits: Drift = Drift(), labelled: Data | None = None
) -> tuple[Watched, ...]:
    """One model, or all that have a place. ``labelled``: one model's rows whose labels came later.

    A crossed limit becomes the event ``distillery.drift``, once a day for each version and limit.
    """
    if labelled is not None and model is None:
        raise UserError("labelled rows are one model's: name the model, too")
    sign()
    tracking.connect()
    watched = tuple(
        watch_model(name, place, limits, labelled) for name, place in find_watched(model).items()
    )
    for one in watched:
        announce_drift(one)
    record_watch(watched)
    return watched
