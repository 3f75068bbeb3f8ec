"""One served model, held against what it learned from."""

import logging

from distillery.deployment.base import Place
from distillery.errors import UserError
from distillery.monitoring import watching
from distillery.monitoring.drift import Drift
from distillery.monitoring.watching import Watched
from distillery.recipe import Data
from tasks.step import fresh_step

log = logging.getLogger(__name__)


@fresh_step
def watch_model(
    model: str, place: Place | UserError, limits: Drift, labelled: Data | None
) -> Watched:
    """What cannot be watched says why; whatever stands beside it is watched."""
    try:
        if isinstance(place, UserError):
            raise place
        return watching.watch(model, place, limits, labelled)
    except UserError as error:
        log.warning("%s", error)
        return watching.unwatchable(model, error)
