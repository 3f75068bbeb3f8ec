"""What rented machines left in the bucket, once it is reported."""

from collections.abc import Sequence

from distillery.measurements import Outcome
from distillery.targets import renting
from tasks.step import fresh_step


@fresh_step
def close_targets(outcomes: Sequence[Outcome]) -> None:
    """So that the next run measures anew; until then a killed flow finds it all."""
    renting.forget(outcomes)
