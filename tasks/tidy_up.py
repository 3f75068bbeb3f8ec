"""A plan carried out."""

from distillery.housekeeping import keeping
from distillery.housekeeping.keeping import Tidied
from distillery.housekeeping.retention import Plan
from tasks.step import fresh_step


@fresh_step
def tidy_up(plan: Plan) -> Tidied:
    """Delete exactly what the plan says."""
    return keeping.carry_out(plan)
