"""What a champion was made by."""

from distillery.nouns import RegisteredVersion
from distillery.recipe import Recipe
from distillery.registry import recipes
from tasks.step import fresh_step


@fresh_step
def find_recipe(model: str) -> tuple[RegisteredVersion, Recipe]:
    """Raises ``UserError`` where that cannot be found."""
    return recipes.of_champion(model)
