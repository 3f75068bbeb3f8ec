"""A model that is to be served no more: the reverse of its first deployment."""

from distillery import tracking
from distillery.errors import UserError
from distillery.registry import places
from distillery.registry.lock import only_one


def withdraw(model: str) -> None:
    """Nothing answers for the model any more, and no reconcile brings it back; aliases stay.

    The place forgets first: cut off in between, it is deployed again, and not left unmanaged.
    Raises ``UserError`` where there is no such model, or it is served nowhere.
    """
    with only_one(model):
        place = places.place_of(model)
        if place is None:
            raise UserError(f"'{model}' is served nowhere; distillery status shows what is")
        place.remove(model)
        tracking.untag_model(model, places.PLACE)
