"""Where registered models are served: a tag of the model itself, which a compress run writes."""

from pydantic import TypeAdapter, ValidationError

from distillery import tracking
from distillery.deployment.base import Place
from distillery.deployment.places import AnyPlace
from distillery.errors import UserError

PLACE = "distillery.place"


def place_of(model: str) -> Place | None:
    """None where the model is registered and no more.

    Raises ``UserError`` where there is no such model, or where its tag cannot be read.
    """
    tags = tracking.model_tags(model)
    if tags is None:
        raise UserError(
            f"there is no registered model '{model}'; distillery status lists those there are"
        )
    return read_place(model, tags.get(PLACE))


def all_places() -> dict[str, Place | UserError]:
    """By model, of those that have one: where it is served, or why that cannot be read."""
    found: dict[str, Place | UserError] = {}
    for model, tags in sorted(tracking.tags_of_models().items()):
        try:
            place = read_place(model, tags.get(PLACE))
        except UserError as error:
            found[model] = error
            continue
        if place is not None:
            found[model] = place
    return found


def served_at(model: str | None) -> dict[str, Place | UserError]:
    """Of the one that is named, or of all that have a place.

    Raises ``UserError`` where the one that is named is served nowhere.
    """
    if model is None:
        return all_places()
    place = place_of(model)
    if place is None:
        raise UserError(
            f"'{model}' is served nowhere: its recipe names no place under 'deploy', so there is "
            "nothing to watch"
        )
    return {model: place}


def read_place(model: str, written: str | None) -> Place | None:
    """What stands in the tag, if anything. Raises ``UserError`` where it is no place."""
    if not written:
        return None
    adapter: TypeAdapter[Place] = TypeAdapter(AnyPlace)
    try:
        return adapter.validate_json(written)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"the tag {PLACE} of the registered model '{model}' cannot be read: {where}: "
            f"{first['msg']}; run distillery compress for it again, which writes it"
        ) from error
