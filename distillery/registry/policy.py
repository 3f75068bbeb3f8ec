"""What a registered model is promoted by and where it is served: tags of the model itself.

Whoever moves an alias need not know the recipe; the last compress run of the model wrote both.
"""

from collections.abc import Mapping

from pydantic import ValidationError

from distillery import tracking
from distillery.deployment.base import Place
from distillery.errors import UserError
from distillery.noun import Noun
from distillery.recipe import Gates
from distillery.registry.places import PLACE, read_place

GATES, ACCEPTED = "distillery.gates", "distillery.accepted_version"


class Policy(Noun):
    """Of one registered model."""

    model: str
    gates: Gates
    place: Place | None
    accepted: str | None
    """The version that last passed, and served where there is a place; None before the first."""


def read(model: str) -> Policy:
    """Raises ``UserError`` where there is no such model, or none that a compress run made."""
    tags = tracking.model_tags(model)
    if tags is None:
        raise UserError(f"there is no registered model '{model}'")
    return parse(model, tags)


def parse(model: str, tags: Mapping[str, str]) -> Policy:
    """The same from the model's tags. Raises ``UserError`` for what is missing or malformed."""
    if GATES not in tags:
        raise UserError(
            f"the registered model '{model}' has no gates (no tag {GATES}): run distillery "
            "compress for it once, which writes them"
        )
    place = read_place(model, tags.get(PLACE))
    try:
        gates = Gates.model_validate_json(tags[GATES])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"the tag {GATES} of the registered model '{model}' cannot be read: {where}: "
            f"{first['msg']}; run distillery compress for it again, which writes it"
        ) from error
    return Policy(model=model, gates=gates, place=place, accepted=tags.get(ACCEPTED) or None)


def write(model: str, gates: Gates, place: Place | None) -> None:
    """Repeatable. Without a place the model stays where it was served before, if anywhere."""
    if GATES not in (tracking.model_tags(model) or {}):
        reigning = tracking.champion(model)
        if reigning is not None:  # promoted on a verdict, before there were policies
            accept(model, reigning.version)
    tags = {} if place is None else {PLACE: place.model_dump_json()}
    tracking.tag_model(model, tags | {GATES: gates.model_dump_json(exclude_none=True)})


def accept(model: str, version: str) -> None:
    """This version is what was decided last: the last write of every promotion."""
    tracking.tag_model(model, {ACCEPTED: version})
