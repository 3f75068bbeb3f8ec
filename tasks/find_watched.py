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
    if model is None:
        return places.all_places()
    place = places.place_of(model)
    if place is None:
        raise UserError(
            f"'{model}' is served nowhere: its recipe names no place under 'deploy', so there is "
            "nothing to watch"
        )
    return {model: place}
