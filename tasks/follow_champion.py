"""What is served follows the alias, or the alias goes back."""

from distillery.nouns import Decision
from distillery.registry import decisions
from tasks.one_decision import asked, one_at_a_time, told
from tasks.step import fresh_step


@fresh_step
def follow_champion(model: str, requested_by: str) -> Decision:
    """Raises ``UserError`` where there is no such model, or no gates to ask."""
    with one_at_a_time(model):
        return told(decisions.follow(model, asked(requested_by)))
