"""What a registered version learned from, and how good it was: what its life is held against."""

import json

from pydantic import Field, ValidationError

from distillery import tracking
from distillery.errors import UserError
from distillery.noun import Noun
from distillery.nouns import Dataset, RegisteredVersion

DATASET_FILE = "dataset.json"
"""Of the flow run's MLflow run, written before anything is trained."""


class Reference(Noun):
    """Of one version."""

    version: RegisteredVersion
    dataset: Dataset
    merit: float = Field(description="Accuracy on the test split, or Spearman's ρ of scores.")


def read(version: RegisteredVersion) -> Reference:
    """From the version's tags, and the run that they name.

    Raises ``UserError`` where the version was not registered by distillery, or where its run is
    gone.
    """
    tags = tracking.tags_of(version)
    run_id = tags.get("distillery.mlflow_run_id", "")
    dataset = _dataset(run_id) if run_id else None
    measured = tags.get("distillery.accuracy") or tags.get("distillery.spearman")
    if dataset is None or measured is None:
        raise UserError(
            f"{version.uri} cannot be watched: "
            + (
                f"its MLflow run {run_id} holds neither {DATASET_FILE} nor findings.json"
                if run_id
                else "it was not registered by distillery compress"
            )
            + "; run distillery compress for it, which registers one that can"
        )
    return Reference(version=version, dataset=dataset, merit=float(measured))


def _dataset(run_id: str) -> Dataset | None:
    try:
        text = tracking.run_text(run_id, DATASET_FILE)
        if text is not None:
            return Dataset.model_validate_json(text)
        # of a run before the data set had a file of its own
        text = tracking.run_text(run_id, "findings.json")
        return None if text is None else Dataset.model_validate(json.loads(text)["dataset"])
    except (ValidationError, ValueError, KeyError) as error:
        raise UserError(
            f"the data set in MLflow run {run_id} cannot be read "
            f"({str(error).splitlines()[0][:120]}); run distillery compress again"
        ) from error
