"""How things stand: what is registered, what is served where, what ran last, what is stuck."""

from collections.abc import Mapping

from pydantic import Field

from distillery import provenance, storage
from distillery.deployment.base import DeploymentError, Place, Served
from distillery.errors import UserError
from distillery.housekeeping.inventory import RegisteredModel
from distillery.noun import Noun
from distillery.tracking import inventory

_FLOW_RUNS = 8
_REFUSALS = 3


class ModelStanding(Noun):
    """Of one registered model."""

    name: str
    versions: int
    aliases: dict[str, str] = Field(description="Version by alias.")
    champion: str = Field(description="What it is and how good, in words; empty without one.")
    place: str = Field(description="The kind of place; empty where it is registered and no more.")
    served: Served | None
    not_answering: str = Field(description="Why the place could not be asked; empty where it was.")
    refused: tuple[str, ...] = Field(description="Wishes that were not granted, newest first.")
    drift: tuple[str, ...] = Field(description="Limits crossed by the champion, newest only.")


class FlowRunStanding(Noun):
    """One flow run."""

    name: str
    state: str
    started_at: str = Field(description="ISO 8601, UTC; empty where it did not start.")
    flow_run_id: str


class Standing(Noun):
    """Everything on one screen."""

    tracking_uri: str
    storage_root: str
    models: tuple[ModelStanding, ...]
    flow_runs: tuple[FlowRunStanding, ...] = Field(description="Newest first.")
    stuck: tuple[str, ...] = Field(description="What needs somebody, in one line each.")

    @property
    def is_empty(self) -> bool:
        """Whether nothing was done yet."""
        return not self.models and not self.flow_runs


def nothing_yet(tracking_uri: str) -> Standing:
    """Of a machine where nothing was done."""
    return Standing(
        tracking_uri=tracking_uri,
        storage_root=str(storage.root()),
        models=(),
        flow_runs=(),
        stuck=(),
    )


def take(tracking_uri: str, places: Mapping[str, Place | UserError]) -> Standing:
    """As MLflow and the places say now. Nothing is written."""
    models = tuple(_model(found, places.get(found.name)) for found in inventory.registered_models())
    running = inventory.running()
    return Standing(
        tracking_uri=tracking_uri,
        storage_root=str(storage.root()),
        models=models,
        flow_runs=tuple(
            FlowRunStanding(
                name=run.name,
                state=run.status.capitalize(),
                started_at=run.started_at,
                flow_run_id=run.flow_run_id,
            )
            for run in inventory.last_flow_runs(_FLOW_RUNS)
        ),
        stuck=(
            *(line for model in models for line in _stuck(model)),
            *(
                f"MLflow run '{run.name}' of flow run {run.flow_run_id} is RUNNING, and its "
                "process is gone; whatever runs next on this machine closes it"
                for run in running
                if run.owner and provenance.is_dead(run.owner)
            ),
        ),
    )


def _model(found: RegisteredModel, place: Place | UserError | None) -> ModelStanding:
    served, not_answering = None, ""
    try:
        if isinstance(place, UserError):
            raise place
        served = place.serving(found.name) if place else None
    except (UserError, DeploymentError, OSError) as error:
        not_answering = str(error)
    champion = found.aliases.get("champion", "")
    tags = found.tags_of.get(champion, {})
    return ModelStanding(
        name=found.name,
        versions=len(found.tags_of),
        aliases=found.aliases,
        champion=_in_words(tags),
        place=getattr(place, "kind", "unknown") if place is not None else "",
        served=served,
        not_answering=not_answering,
        refused=tuple(_refusals(found)),
        drift=tuple(
            f"{name.removeprefix('distillery.drift_')} on {value}"
            for name, value in sorted(tags.items())
            if name.startswith("distillery.drift_")
        ),
    )


def _in_words(tags: Mapping[str, str]) -> str:
    def tag(name: str) -> str:
        return tags.get(f"distillery.{name}", "")

    told = [tag("candidate")]
    for name, words in (
        ("accuracy", "accuracy {}"),
        ("spearman", "ρ {}"),
        ("latency_p50_ms", "p50 {} ms"),
    ):
        if tag(name):
            told.append(words.format(tag(name)))
    return ", ".join(one for one in told if one)


def _refusals(found: RegisteredModel) -> list[str]:
    told = []
    for version, tags in sorted(found.tags_of.items(), key=lambda one: int(one[0]), reverse=True):
        if tags.get("distillery.decision") in ("refused", "failed"):
            reasons = tags.get("distillery.decision_reasons", "no reason is given")
            told.append(f"version {version} {tags['distillery.decision']}: {reasons[:200]}")
    return told[:_REFUSALS]


def _stuck(model: ModelStanding) -> list[str]:
    if not model.place:
        return []
    champion = model.aliases.get("champion")
    if model.not_answering:
        return [f"{model.name} is not answering at its place: {model.not_answering}"]
    served = model.served.version if model.served else None
    if champion == served:
        return []
    return [
        f"{model.name}: champion is {_version(champion)}, served is {_version(served)}; "
        f"distillery deploy {model.name} decides"
    ]


def _version(number: str | None) -> str:
    return f"version {number}" if number else "none"
