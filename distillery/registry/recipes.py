"""The recipe that a registered model was made by: kept with the run that its version names."""

import json
from typing import Any

import yaml

from distillery import recipe_files, tracking
from distillery.errors import UserError
from distillery.nouns import RegisteredVersion
from distillery.recipe import Recipe

RECIPE_FILE, TRIGGER = "recipe.yaml", "distillery.trigger"


def of_champion(model: str) -> tuple[RegisteredVersion, Recipe]:
    """The champion, and the recipe to make it anew by.

    Raises ``UserError`` where there is no champion, where no recipe is kept for it, and where this
    release no longer reads that recipe.
    """
    version = tracking.champion(model)
    if version is None:
        raise UserError(
            f"'{model}' has no champion to make anew; distillery status lists what is registered"
        )
    run_id = tracking.tags_of(version).get("distillery.mlflow_run_id")
    text = _kept(run_id) if run_id else None
    if text is None:
        where = f"its MLflow run {run_id} keeps none" if run_id else "no MLflow run is named by it"
        raise UserError(
            f"the recipe of {version.uri} cannot be found ({where}); run distillery compress with "
            "the recipe's file"
        )
    values: Any = yaml.safe_load(text)
    return version, recipe_files.validate(values, where=f"of {version.uri}")


def _kept(run_id: str) -> str | None:
    text = tracking.run_text(run_id, RECIPE_FILE)
    if text is not None:
        return text
    # of a run before the recipe had a file of its own
    findings = tracking.run_text(run_id, "findings.json")
    return None if findings is None else str(json.loads(findings)["recipe_yaml"])
