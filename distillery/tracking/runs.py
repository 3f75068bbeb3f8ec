"""Runs: one parent a flow run, one child a step, and one for each version that is watched.

They are found again by their tags, so that a retry goes on in the run it began. They name their
owner process too: what a killed process left RUNNING is closed by whoever comes next
(``close_orphans``).
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from distillery import heartbeat, provenance, storage
from distillery.lost_runs import OpenFlowRun
from distillery.nouns import RegisteredVersion
from distillery.tracking.writing import StepRun

log = logging.getLogger(__name__)

WATCHES = "distillery.watches"
"""A run's tag: the served version whose life it writes down, as ``model/version``."""

_FLOW_RUN, _STEP, _OWNER = "distillery.flow_run_id", "distillery.step", "distillery.owner"
_HEARTBEAT = "distillery.heartbeat"
_UNFINISHED = "RUNNING"


def open_flow_run(experiment: str, flow_run_id: str, tags: Mapping[str, str]) -> StepRun:
    """The parent run of a flow run: a new one, or the one it began before a retry."""
    run = _find(flow_run_id, step=None)
    client = MlflowClient()
    if run is None:
        run = client.create_run(
            _experiment_id(experiment),
            run_name=f"{experiment} {time.strftime('%Y-%m-%d %H:%M:%S')}",
            tags={_FLOW_RUN: flow_run_id, _STEP: "", **tags},
        )
    client.update_run(run.info.run_id, status=_UNFINISHED)
    client.set_tag(run.info.run_id, _OWNER, provenance.this_process())
    heartbeat.start(flow_run_id, _beat(client, run.info.run_id))
    return StepRun(run.info.run_id)


def _beat(client: MlflowClient, run_id: str) -> Callable[[], bool]:
    """What says that the run's process lives; False once the run is over."""

    def beat() -> bool:
        if client.get_run(run_id).info.status != _UNFINISHED:
            return False
        client.set_tag(run_id, _HEARTBEAT, f"{time.time():.0f}")
        return True

    return beat


@contextmanager
def step_run(flow_run_id: str, step: str) -> Iterator[StepRun]:
    """A child run, FINISHED or FAILED when the block ends. A retried step reopens its own."""
    parent = _find(flow_run_id, step=None)
    run = _find(flow_run_id, step)
    if run is None:
        tags = {_FLOW_RUN: flow_run_id, _STEP: step, _OWNER: provenance.this_process()}
        if parent is not None:
            tags["mlflow.parentRunId"] = parent.info.run_id
        experiment_id = parent.info.experiment_id if parent else _experiment_id("distillery")
        run = MlflowClient().create_run(experiment_id, run_name=step, tags=tags)
    with mlflow.start_run(run_id=run.info.run_id):
        yield StepRun(run.info.run_id)


def watch_run(version: RegisteredVersion) -> StepRun | None:
    """The one run in which the life of a served version is written down, however often it is
    looked at: its metrics are a curve. None before the first time."""
    found = _search(f"tags.`{WATCHES}` = '{version.model}/{version.version}'")
    return StepRun(found[0].info.run_id) if found else None


def open_watch_run(version: RegisteredVersion) -> StepRun:
    """The same, made where there is none. It is FINISHED, since nobody owns it."""
    found = watch_run(version)
    if found is not None:
        return found
    client = MlflowClient()
    run = client.create_run(
        _experiment_id("monitor"),
        run_name=f"{version.model} version {version.version}",
        tags={WATCHES: f"{version.model}/{version.version}"},
    )
    client.set_terminated(run.info.run_id)
    return StepRun(run.info.run_id)


def run_text(run_id: str, name: str) -> str | None:
    """A small file of a run, or None where the run or the file is not there."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = MlflowClient().download_artifacts(run_id, name, folder)
            return Path(path).read_text(encoding="utf-8")
        except (MlflowException, OSError) as error:
            # whichever store holds it has its own word for "not there"
            log.debug("run %s has no file %s: %s", run_id, name, error)
            return None


def close_flow_run(flow_run_id: str, status: str) -> None:
    """End what a flow run left RUNNING. ``status``: FINISHED, FAILED or KILLED."""
    heartbeat.stop(flow_run_id)
    for run in _search(f"tags.`{_FLOW_RUN}` = '{flow_run_id}' and status = '{_UNFINISHED}'"):
        MlflowClient().set_terminated(run.info.run_id, status)


def mark_cancelled(flow_run_id: str) -> None:
    """KILLED for all of a flow run's runs that did not finish.

    Cancelling raises inside the step first, so its run reads FAILED until this is called.
    """
    heartbeat.stop(flow_run_id)
    for run in _search(f"tags.`{_FLOW_RUN}` = '{flow_run_id}'"):
        if run.info.status != "FINISHED":
            MlflowClient().set_terminated(run.info.run_id, "KILLED")


def close_orphans() -> int:
    """KILLED for runs whose process on this host is gone. Returns how many."""
    closed = 0
    for run in _search(f"status = '{_UNFINISHED}'"):
        owner = run.data.tags.get(_OWNER)
        if owner is not None and provenance.is_dead(owner):
            MlflowClient().set_terminated(run.info.run_id, "KILLED")
            closed += 1
    if closed:
        log.info("closed %d MLflow runs that a killed process left RUNNING", closed)
    return closed


def open_flow_runs() -> tuple[OpenFlowRun, ...]:
    """What is RUNNING of each flow run that has anything RUNNING."""
    by_flow_run: dict[str, list[Run]] = {}
    for run in _search(f"status = '{_UNFINISHED}' and tags.`{_FLOW_RUN}` != ''"):
        by_flow_run.setdefault(run.data.tags[_FLOW_RUN], []).append(run)
    return tuple(_open(flow_run_id, runs) for flow_run_id, runs in by_flow_run.items())


def _open(flow_run_id: str, runs: Sequence[Run]) -> OpenFlowRun:
    parents = [run for run in runs if not run.data.tags.get(_STEP)]
    beats = [float(run.data.tags[_HEARTBEAT]) for run in parents if _HEARTBEAT in run.data.tags]
    return OpenFlowRun(
        flow_run_id=flow_run_id,
        owners=tuple(sorted({run.data.tags[_OWNER] for run in runs if _OWNER in run.data.tags})),
        heartbeat=max(beats, default=None),
        parent_is_over=not parents and _find(flow_run_id, step=None) is not None,
    )


def _experiment_id(name: str) -> str:
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    # a server decides itself where artifacts go; a bare SQLite file would put them in ./mlruns
    local = mlflow.get_tracking_uri().startswith("sqlite:")
    location = (storage.root() / "mlartifacts").as_uri() if local else None
    try:
        return str(mlflow.create_experiment(name, artifact_location=location))
    except MlflowException:  # another run made it meanwhile
        made = mlflow.get_experiment_by_name(name)
        if made is None:
            raise
        return str(made.experiment_id)


def _find(flow_run_id: str, step: str | None) -> Run | None:
    found = _search(f"tags.`{_FLOW_RUN}` = '{flow_run_id}' and tags.`{_STEP}` = '{step or ''}'")
    return found[0] if found else None


def _search(filter_string: str) -> list[Run]:
    runs = mlflow.search_runs(
        search_all_experiments=True, filter_string=filter_string, output_format="list"
    )
    return list(runs)
