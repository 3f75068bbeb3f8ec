"""A version that somebody wants as champion."""

from distillery.nouns import Decision
from distillery.registry import decisions
from tasks.one_decision import asked, one_at_a_time, told
from tasks.step import fresh_step


@fresh_step
def promote_version(model: str, version: str, requested_by: str) -> Decision:
    """Raises ``UserError`` where there is no such version, or no gates to ask."""
    with one_at_a_time(model):
        return told(decisions.request(model, version, asked(requested_by)))
