"""What every place is where a registered model is served.

A place's settings and its behaviour are one class, as everywhere: the recipe holds it, and the
registered model keeps it, so that whoever moves an alias need not know the recipe. Importing this
loads neither mlflow nor boto3.
"""

from abc import ABC, abstractmethod

from pydantic import Field

from distillery.noun import Noun
from distillery.nouns import RegisteredVersion


class DeploymentError(Exception):
    """The new version does not serve: one line with why. What was served before still is."""


class Served(Noun):
    """What a place answers with now."""

    model: str
    version: str
    digest: str = Field(description="Of the candidate: the registered version's content.")
    address: str = Field(description="Where requests go; the same for every version.")
    since: str = Field(description="ISO 8601, UTC.")


class Observed(Noun):
    """What a served version was asked and answered since it began to serve."""

    model: str
    version: str
    rows: int
    predicted_labels: dict[str, int] = Field(description="Rows by answer; empty for scores.")
    length_histogram: tuple[int, ...] = Field(
        description="Rows by whitespace words, in the classes of ``Split``; empty for images."
    )


class Place(Noun, ABC):
    """Where one registered model is served, one version at a time."""

    @abstractmethod
    def check(self) -> None:
        """Raises ``UserError`` for what would stop a deployment here: a port that is taken,
        credentials that are missing."""

    @abstractmethod
    def serving(self, model: str) -> Served | None:
        """What answers now, asked of the place itself; None where nothing does."""

    @abstractmethod
    def deploy(self, version: RegisteredVersion) -> Served:
        """This version answers, and no request was lost on the way to it.

        The new one is started beside the old, asked real examples whose answers are known, and only
        then switched to; the old one ends once its last request is answered. Deploying what is
        served already changes nothing. Killed in between, the next deployment ends what was left.

        Raises ``DeploymentError`` where the new one does not start or answers otherwise than the
        registered version does; then the old one serves on, untouched.
        """

    @abstractmethod
    def observed(self, model: str) -> Observed | None:
        """Counts of the version that answers now; None where the place keeps none."""

    @abstractmethod
    def remove(self, model: str) -> None:
        """Nothing of this model is served here any more. Repeatable."""
