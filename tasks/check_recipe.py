"""Check all that can be checked before training."""

from distillery.preflight import Plan, check
from distillery.recipe import Recipe
from tasks.step import fresh_step


@fresh_step
def check_recipe(recipe: Recipe) -> Plan:
    """Raises ``UserError`` for the first thing that would stop the run later."""
    return check(recipe)
