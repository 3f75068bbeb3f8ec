"""A champion made anew: its own recipe, over the data as they are today."""

import prefect

from distillery import tracking
from distillery.nouns import Findings
from flows.compress import compress
from tasks.find_recipe import find_recipe
from tasks.ownership import sign


@prefect.flow(
    name="retrain",
    flow_run_name="retrain-{model}",
    description="Run the champion's recipe again, over the data as they are today.",
    persist_result=False,
)
def retrain(model: str, reason: str = "") -> Findings:
    """The winner is promoted as after any run: where it passes the gates and beats the champion.

    The data are always read anew; where they have not changed, nothing is trained. Everything that
    ends badly is closed by ``compress`` itself.
    """
    sign()
    tracking.connect()
    version, recipe = find_recipe(model)
    return compress(recipe, trigger=f"retrain of {version.uri}: {reason or 'asked for'}")
