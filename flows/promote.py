"""A version somebody wants as champion: gates asked again, alias moved, deployed."""

import prefect

from distillery.nouns import Decision
from flows.closing import close_failed, close_killed
from flows.form import Name, Number
from flows.settled import settled
from tasks.ownership import sign
from tasks.promote_version import promote_version


@prefect.flow(
    name="promote",
    flow_run_name="promote-{model}-{version}",
    description="Make a registered version champion, if it passes its model's gates.",
    persist_result=False,
    on_failure=[close_failed],
    on_cancellation=[close_killed],
    on_crashed=[close_killed],
)
def promote(model: Name, version: Number, requested_by: str = "") -> Decision:
    """``previous`` is then the one before it. Refused, it says why on the version, and fails.

    Args:
        model: A registered model's name.
        version: Its number in the registry.
        requested_by: Who asks; left out, the flow run's name stands for it.
    """
    sign()
    return settled(promote_version(model, version, requested_by))
