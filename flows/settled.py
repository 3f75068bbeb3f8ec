"""How a flow run ends whose wish was not fulfilled: failed, in one line, without a traceback."""

from typing import Any

from prefect.states import Failed

from distillery.errors import UserError
from distillery.nouns import Decision


def settled(decision: Decision) -> Decision:
    """The decision, where it fulfils the wish; else the flow run fails with its reasons."""
    found: Decision = decision if decision.holds else failed(decision.summary)
    return found


def failed(line: str) -> Any:
    """To be returned by a flow: Prefect takes the state as the run's, and raises ``UserError``
    where the flow was called.
    """
    return Failed(message=line, data=UserError(line))
