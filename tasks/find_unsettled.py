"""Registered models whose alias and whose place differ."""

import logging

from distillery import tracking
from distillery.errors import UserError
from distillery.registry import decisions, policy
from tasks.step import fresh_step

log = logging.getLogger(__name__)


@fresh_step
def find_unsettled() -> tuple[str, ...]:
    """Names. What cannot be asked is among them: one model's trouble is not another's."""
    tracking.connect()
    ours = [model for model, tags in tracking.tags_of_models().items() if policy.GATES in tags]
    return tuple(sorted(model for model in ours if not _is_settled(model)))


def _is_settled(model: str) -> bool:
    try:
        return decisions.is_settled(model)
    except UserError as error:
        log.error("%s", error)
        return True  # somebody has to mend it first
    except Exception as error:  # whatever a place that does not answer makes its client raise
        log.warning("cannot tell what is served of %s: %s", model, error)
        return False
