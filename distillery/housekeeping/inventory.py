"""All that distillery has made, as plain values: what a plan is made of.

Times are seconds since 1970. Sizes are None where they cannot be seen from here.
"""

from typing import Literal

from pydantic import Field

from distillery.noun import Noun

StoredKind = Literal["result", "artifact", "work", "report"]


class TrackedRun(Noun):
    """A run in MLflow."""

    run_id: str
    experiment_id: str
    name: str
    flow_run_id: str = Field(description="Empty for a run that watches a version.")
    is_parent: bool
    watches: str = Field(description="``model/version``, of a run that watches; else empty.")
    is_running: bool
    is_condemned: bool = Field(description="Its deletion was begun before, and not finished.")
    started_at: float
    changed_at: float
    digests: tuple[str, ...] = Field(description="Of what its step made.")
    size_bytes: int | None


class Version(Noun):
    """A version of a registered model, of distillery's making."""

    model: str
    version: str
    aliases: tuple[str, ...]
    created_at: float
    model_id: str | None = Field(description="Of the logged model that it is.")
    flow_run_id: str
    run_id: str
    parent_version: str | None
    digests: tuple[str, ...] = Field(description="Of its candidate, checkpoint and data.")

    @property
    def name(self) -> str:
        """``model/version``."""
        return f"{self.model}/{self.version}"


class RegisteredModel(Noun):
    """A registered model as a whole."""

    name: str
    aliases: dict[str, str] = Field(description="Version by alias.")
    tags_of: dict[str, dict[str, str]] = Field(description="By version.")


class FlowRun(Noun):
    """A flow run as MLflow saw it."""

    name: str
    status: str
    started_at: str = Field(description="ISO 8601, UTC.")
    flow_run_id: str
    owner: str = Field(description="The process, as ``provenance`` names it; or empty.")


class LoggedModel(Noun):
    """A model's files in MLflow, which outlive their run and their version."""

    model_id: str
    run_id: str
    is_condemned: bool
    is_foreign: bool = Field(description="A version that is not distillery's holds it.")
    created_at: float
    size_bytes: int | None


class Stored(Noun):
    """A file or folder of the storage, on this machine or shared."""

    kind: StoredKind
    path: str = Field(description="Relative to the storage root.")
    shared_uri: str = Field(default="", description="Where it is shared; empty on this machine.")
    used_at: float
    size_bytes: int
    digests: tuple[str, ...] = Field(default=(), description="That it mentions, in full.")
    artifacts: tuple[str, ...] = Field(default=(), description="Their paths, as it mentions them.")
    runs: tuple[str, ...] = Field(default=(), description="MLflow runs that it mentions.")

    @property
    def name(self) -> str:
        """Of the file or folder alone: a step's key, a flow run's id."""
        return self.path.rsplit("/", 1)[-1]


class Inventory(Noun):
    """Everything, at one time."""

    now: float
    runs: tuple[TrackedRun, ...]
    versions: tuple[Version, ...]
    logged_models: tuple[LoggedModel, ...]
    stored: tuple[Stored, ...]
    served: tuple[str, ...] = Field(description="``model/version`` of what answers somewhere.")
    silent: tuple[str, ...] = Field(description="Models whose place cannot be asked.")
