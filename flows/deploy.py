"""What is served follows the alias ``champion``, or the alias goes back."""

import prefect

from distillery.nouns import Decision
from flows.closing import close_failed, close_killed
from flows.form import Name
from flows.settled import settled
from tasks.follow_champion import follow_champion
from tasks.ownership import sign


@prefect.flow(
    name="deploy",
    flow_run_name="deploy-{model}",
    description="Serve a model's champion, if it passes its gates; else put the alias back.",
    persist_result=False,
    on_failure=[close_failed],
    on_cancellation=[close_killed],
    on_crashed=[close_killed],
)
def deploy(model: Name, requested_by: str = "") -> Decision:
    """Gates asked again, that exact content deployed, asked real examples, and told.

    Args:
        model: A registered model's name.
        requested_by: Who asks; left out, the flow run's name stands for it.
    """
    sign()
    return settled(follow_champion(model, requested_by))
