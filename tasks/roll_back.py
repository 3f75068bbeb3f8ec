"""The champion before this one."""

from distillery.nouns import Decision
from distillery.registry import decisions
from tasks.one_decision import asked, one_at_a_time, told
from tasks.step import fresh_step


@fresh_step
def roll_back(model: str, requested_by: str) -> Decision:
    """Raises ``UserError`` where there was none."""
    with one_at_a_time(model):
        return told(decisions.roll_back(model, asked(requested_by)))
