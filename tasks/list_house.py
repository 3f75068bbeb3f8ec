"""Everything that distillery has made, and what of it is served."""

from distillery.housekeeping import keeping
from distillery.housekeeping.inventory import Inventory
from distillery.registry import places
from tasks.step import fresh_step


@fresh_step
def list_house() -> Inventory:
    """Runs, versions, files; places are asked what they serve."""
    return keeping.take_inventory(places.all_places())
