"""How a training becomes a step: its epochs in MLflow and, as they come, on the flow run's page."""

import logging
import re
from uuid import UUID

import httpx
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from distillery import tracking
from distillery.launch import launching
from distillery.launch.jobs import Job
from distillery.nouns import Checkpoint, Epoch
from distillery.recipe import Launcher
from tasks.step import work_folder

log = logging.getLogger(__name__)


def trained(job: Job, launcher: Launcher, run: tracking.StepRun, name: str) -> Checkpoint:
    """The job's checkpoint, recorded in the step's run. Asked within a step."""
    progress = _Progress(name, job.epochs)

    def on_epoch(epoch: Epoch) -> None:
        run.epoch(epoch)
        progress.reached(epoch.epoch)

    checkpoint = launching.carry_out(job, launcher, work=work_folder(), on_epoch=on_epoch)
    progress.reached(job.epochs)
    run.checkpoint(checkpoint)
    return checkpoint.model_copy(update={"tracking_run_id": run.run_id})


class _Progress:
    """A bar on the flow run's page. It only shows: without it a training goes on."""

    def __init__(self, name: str, epochs: int) -> None:
        self._epochs = epochs
        self._artifact: UUID | None = None
        key = re.sub("[^a-z0-9]+", "-", f"training {name}".lower()).strip("-")
        if epochs:
            try:
                made = create_progress_artifact(
                    0.0, key=key, description=f"{name}: {epochs} epochs at most"
                )
                assert isinstance(made, UUID), "asked outside an event loop"
                self._artifact = made
            except httpx.HTTPError as error:
                log.warning("no progress of %s is shown: %s", name, error)

    def reached(self, epoch: float) -> None:
        """So many epochs are done, of the most."""
        if self._artifact is None:
            return
        try:
            update_progress_artifact(self._artifact, min(100.0, 100 * epoch / self._epochs))
        except httpx.HTTPError as error:
            log.warning("progress is not shown: %s", error)
