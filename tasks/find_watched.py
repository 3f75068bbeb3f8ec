"""Which models are watched: those that are served somewhere."""

from distillery.deployment.base import Place
from distillery.errors import UserError
from distillery.registry import places
from tasks.step import fresh_step


@fresh_step
def find_watched(model: str | None) -> dict[str, Place | UserError]:
    """The one that is named, or all that have a place; or why a place cannot be read.

    Raises ``UserError`` where the one that is named cannot be watched.
    """
    return places.served_at(model)
