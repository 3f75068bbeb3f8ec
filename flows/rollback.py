"""The champion before this one, in one step."""

import prefect

from distillery.nouns import Decision
from flows.closing import close_failed, close_killed
from flows.form import Name
from flows.settled import settled
from tasks.ownership import sign
from tasks.roll_back import roll_back


@prefect.flow(
    name="rollback",
    flow_run_name="rollback-{model}",
    description="Make the version before the champion champion again, and serve it.",
    persist_result=False,
    on_failure=[close_failed],
    on_cancellation=[close_killed],
    on_crashed=[close_killed],
)
def rollback(model: Name, requested_by: str = "") -> Decision:
    """Repeating it changes nothing. Its gates are asked again.

    Args:
        model: A registered model's name.
        requested_by: Who asks; left out, the flow run's name stands for it.
    """
    sign()
    return settled(roll_back(model, requested_by))
