"""A crossed limit becomes an event, which an automation turns into a retrain run."""

import logging
from datetime import UTC, datetime

from prefect.events import emit_event

from distillery.monitoring import journal
from distillery.monitoring.watching import Crossing, Watched
from tasks.step import fresh_step

EVENT = "distillery.drift"

log = logging.getLogger(__name__)


@fresh_step
def announce_drift(watched: Watched) -> tuple[Crossing, ...]:
    """Once a day for each version and limit. Returns what was announced now.

    The event goes first: killed in between, it is sent twice, and not lost.
    """
    today = datetime.now(UTC).date().isoformat()
    news = tuple(one for one in watched.crossings if journal.is_news(watched, one, today))
    for crossing in news:
        assert watched.version is not None, "what is not served crosses nothing"
        log.warning("%s: %s", watched.version.uri, crossing.reason)
        emit_event(
            event=EVENT,
            resource={
                "prefect.resource.id": f"distillery.model.{watched.model}",
                "prefect.resource.name": watched.model,
            },
            payload={
                "model": watched.model,
                "version": watched.version.version,
                "kind": crossing.kind,
                "reason": crossing.reason,
            },
        )
        journal.announced(watched, crossing, today)
    return news
