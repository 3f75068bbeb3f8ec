"""Everything that distillery has in MLflow, as plain values: what housekeeping plans with."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run, ViewType

from distillery.housekeeping.inventory import (
    FlowRun,
    LoggedModel,
    RegisteredModel,
    TrackedRun,
    Version,
)
from distillery.housekeeping.storage_house import size_of
from distillery.tracking.deletion import CONDEMNED, database, local_folder
from distillery.tracking.runs import WATCHES
from distillery.tracking.server import is_behind_a_server
from distillery.tracking.versions import DIGEST

_UNKNOWN = "unknown"
_MOST_RUNNING = 10_000


def runs() -> tuple[TrackedRun, ...]:
    """Those of distillery's making, and those whose deletion was begun."""
    found = []
    for tag in ("distillery.flow_run_id", WATCHES):
        found += mlflow.search_runs(
            search_all_experiments=True,
            filter_string=f"tags.`{tag}` != ''",
            run_view_type=ViewType.ALL,
            output_format="list",
        )
    return tuple(_run(run) for run in found if _is_listed(run))


def versions() -> tuple[Version, ...]:
    """Those of distillery's making."""
    aliases: dict[tuple[str, str], list[str]] = {}
    for model in _models():  # a search for versions leaves them out
        for alias, version in model.aliases.items():
            aliases.setdefault((model.name, str(version)), []).append(alias)
    return tuple(
        _version(found, tuple(sorted(aliases.get((found.name, str(found.version)), ()))))
        for found in _versions()
        if DIGEST in found.tags
    )


def logged_models(tracked: tuple[TrackedRun, ...]) -> tuple[LoggedModel, ...]:
    """Of distillery's runs, and those whose deletion was begun."""
    ours = {run.run_id for run in tracked}
    foreign = {_model_id(found) for found in _versions() if DIGEST not in found.tags}
    condemned = list(_condemned_models())
    return tuple(
        LoggedModel(
            model_id=found.model_id,
            run_id=found.source_run_id or "",
            is_condemned=found in condemned,
            is_foreign=found.model_id in foreign,
            created_at=found.creation_timestamp / 1000,
            size_bytes=_size(found.artifact_location),
        )
        for found in [*_logged_models(), *condemned]
        if found.source_run_id in ours or found in condemned
    )


def registered_models() -> tuple[RegisteredModel, ...]:
    """All of them, whoever made them."""
    tags_of: dict[str, dict[str, dict[str, str]]] = {}
    for version in _versions():
        tags_of.setdefault(version.name, {})[str(version.version)] = dict(version.tags)
    return tuple(
        RegisteredModel(
            name=model.name,
            aliases={alias: str(version) for alias, version in model.aliases.items()},
            tags_of=tags_of.get(model.name, {}),
        )
        for model in _models()
    )


def running() -> tuple[FlowRun, ...]:
    """Every run of a flow run, parent or step, that is RUNNING."""
    return _flow_runs("status = 'RUNNING' and tags.`distillery.flow_run_id` != ''", _MOST_RUNNING)


def last_flow_runs(count: int) -> tuple[FlowRun, ...]:
    """The newest, by their parent runs."""
    return _flow_runs("tags.`distillery.step` = '' and tags.`distillery.flow_run_id` != ''", count)


def _flow_runs(filter_string: str, count: int) -> tuple[FlowRun, ...]:
    found = mlflow.search_runs(
        search_all_experiments=True,
        filter_string=filter_string,
        order_by=["start_time DESC"],
        output_format="list",
        max_results=count,
    )
    return tuple(
        FlowRun(
            name=run.info.run_name or "",
            status=run.info.status,
            started_at=datetime.fromtimestamp(run.info.start_time / 1000, UTC).isoformat(
                timespec="seconds"
            ),
            flow_run_id=run.data.tags["distillery.flow_run_id"],
            owner=run.data.tags.get("distillery.owner", ""),
        )
        for run in found
    )


def _is_listed(run: Run) -> bool:
    deleted = run.info.lifecycle_stage == LifecycleStage.DELETED
    # what people deleted is theirs to restore; behind a server, ours waits for the admin
    return not deleted or (CONDEMNED in run.data.tags and not is_behind_a_server())


def _run(run: Run) -> TrackedRun:
    tags, info = run.data.tags, run.info
    changed = info.end_time or info.start_time
    return TrackedRun(
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        name=info.run_name or "",
        flow_run_id=tags.get("distillery.flow_run_id", ""),
        is_parent=not tags.get("distillery.step"),
        watches=tags.get(WATCHES, ""),
        is_running=info.status == "RUNNING",
        is_condemned=info.lifecycle_stage == LifecycleStage.DELETED,
        started_at=info.start_time / 1000,
        changed_at=changed / 1000,
        digests=(tags["digest"],) if "digest" in tags else (),
        size_bytes=_size(info.artifact_uri),
    )


def _version(found: Any, aliases: tuple[str, ...]) -> Version:
    tags: Mapping[str, str] = found.tags
    parent = tags.get("distillery.parent_version", "none")
    digests = (
        tags.get(f"distillery.{of}") for of in ("digest", "checkpoint_digest", "data_digest")
    )
    return Version(
        model=found.name,
        version=str(found.version),
        aliases=aliases,
        created_at=found.creation_timestamp / 1000,
        model_id=_model_id(found),
        flow_run_id=tags.get("distillery.flow_run_id", ""),
        run_id=tags.get("distillery.mlflow_run_id", ""),
        parent_version=None if parent == "none" else parent,
        digests=tuple(digest for digest in digests if digest and digest != _UNKNOWN),
    )


def _model_id(found: Any) -> str | None:
    if found.model_id:
        return str(found.model_id)
    source = str(found.source or "")
    return source.removeprefix("models:/") if source.startswith("models:/m-") else None


def _versions() -> list[Any]:
    return _all_pages(lambda token: MlflowClient().search_model_versions(page_token=token))


def _models() -> list[Any]:
    return _all_pages(lambda token: MlflowClient().search_registered_models(page_token=token))


def _logged_models() -> list[Any]:
    experiments = [one.experiment_id for one in mlflow.search_experiments()]
    found: list[Any] = []
    for start in range(0, len(experiments), 100):
        some = experiments[start : start + 100]
        found += _all_pages(
            lambda token, some=some: MlflowClient().search_logged_models(some, page_token=token)
        )
    return found


def _condemned_models() -> Iterator[Any]:
    if is_behind_a_server():
        return
    store = database()
    for model_id in store._get_deleted_logged_models():
        found = store.get_logged_model(model_id, allow_deleted=True)
        if CONDEMNED in found.tags:
            yield found


def _all_pages(ask: Any) -> list[Any]:
    found: list[Any] = []
    token: str | None = None
    while True:
        page = ask(token)
        found += page
        token = page.token
        if not token:
            return found


def _size(location: str) -> int | None:
    folder = local_folder(location)
    return None if folder is None else size_of(folder)
