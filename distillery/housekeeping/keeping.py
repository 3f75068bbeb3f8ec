"""An inventory taken, and a plan carried out: exactly that, and what is left of it next time."""

import logging
import time
from collections.abc import Mapping

from distillery import tracking
from distillery.deployment.base import DeploymentError, Place
from distillery.errors import UserError
from distillery.housekeeping import storage_house
from distillery.housekeeping.inventory import Inventory, Stored, TrackedRun, Version
from distillery.housekeeping.retention import Plan, Removal
from distillery.noun import Noun
from distillery.tracking import deletion, inventory

log = logging.getLogger(__name__)

_ACCEPTED = "distillery.accepted_version"


class Skipped(Noun):
    """Something of a plan that stays."""

    name: str
    why: str


class Tidied(Noun):
    """What became of a plan."""

    plan: Plan
    applied: bool
    removed: int = 0
    skipped: tuple[Skipped, ...] = ()
    to_do: str = ""
    """What somebody else has to do; empty where nobody has."""


def take_inventory(places: Mapping[str, Place | UserError]) -> Inventory:
    """Everything that distillery has made. ``places``: where each model is served, or why that is
    not known; of such a model nothing is given away."""
    runs = inventory.runs()
    versions = inventory.versions()
    served, silent = _served(places)
    stored = storage_house.listed()
    return Inventory(
        now=time.time(),
        runs=runs,
        versions=versions,
        logged_models=inventory.logged_models(runs),
        stored=(*stored, *_reports_elsewhere(versions, runs, stored)),
        served=served,
        silent=silent,
    )


def carry_out(plan: Plan) -> Tidied:
    """Delete what the plan says. Killed in between, the next plan holds what is left.

    Raises ``UserError``, before anything is deleted, where a version of the plan was given an alias
    since it was made.
    """
    for removal in plan.removals:
        if removal.kind == "version":
            _refuse_aliased(removal)
    skipped = []
    for removal in plan.removals:
        if not _remove(removal):
            log.info("%s stays: it was used while the plan was made", removal.name)
            skipped.append(Skipped(name=removal.name, why="used while the plan was made"))
    in_mlflow = any(removal.kind in ("model files", "run") for removal in plan.removals)
    return Tidied(
        plan=plan,
        applied=True,
        removed=len(plan.removals) - len(skipped),
        skipped=tuple(skipped),
        to_do=deletion.admins_command() if in_mlflow and tracking.is_behind_a_server() else "",
    )


def _remove(removal: Removal) -> bool:
    match removal.kind:
        case "version":
            _refuse_aliased(removal)
            deletion.remove_version(*_split(removal.name))
        case "model files":
            deletion.remove_logged_model(removal.name)
        case "run":
            deletion.remove_run(removal.name)
        case _:
            assert removal.used_at is not None, "of the storage"
            return storage_house.remove(removal.name, removal.used_at)
    return True


def _refuse_aliased(removal: Removal) -> None:
    aliases = deletion.aliases_of(*_split(removal.name))
    if aliases:
        raise UserError(
            f"{removal.name} was named {', '.join(aliases)} while it was about to be deleted; "
            "nothing of it is gone: run distillery retain again"
        )


def _split(name: str) -> tuple[str, str]:
    model, _, version = name.rpartition("/")
    return model, version


def _served(places: Mapping[str, Place | UserError]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    served, silent = [], []
    for model, tags in tracking.tags_of_models().items():
        if tags.get(_ACCEPTED):
            served.append(f"{model}/{tags[_ACCEPTED]}")
    for model, place in places.items():
        try:
            if isinstance(place, UserError):
                raise place
            now = place.serving(model)
        except (UserError, DeploymentError, OSError) as error:
            log.warning("the place of %s cannot be asked: %s", model, error)
            silent.append(model)
            continue
        if now is not None:
            served.append(f"{model}/{now.version}")
    return tuple(served), tuple(silent)


def _reports_elsewhere(
    versions: tuple[Version, ...], runs: tuple[TrackedRun, ...], stored: tuple[Stored, ...]
) -> list[Stored]:
    """Findings of versions' flow runs whose report another machine has: MLflow keeps them too."""
    here = {one.name for one in stored if one.kind == "report"}
    parents = {run.flow_run_id: run for run in runs if run.is_parent and run.flow_run_id}
    found = []
    for flow_run_id in sorted({version.flow_run_id for version in versions} - here):
        run = parents.get(flow_run_id)
        text = tracking.run_text(run.run_id, "findings.json") if run else None
        if run is None or text is None:
            continue
        digests, artifacts, named = storage_house.mentions(text)
        found.append(
            Stored(
                kind="report",
                path=f"reports/{flow_run_id}",
                # never old: it is not in this storage, so there is nothing to delete
                used_at=time.time(),
                size_bytes=0,
                digests=digests,
                artifacts=artifacts,
                runs=named,
            )
        )
    return found
