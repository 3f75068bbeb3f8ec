"""What is written into a run."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import mlflow
import mlflow.data.meta_dataset
import mlflow.data.sources
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from distillery import storage
from distillery.nouns import Candidate, Checkpoint, Dataset, Epoch

_LONGEST_PARAM = 6000
_LONGEST_TAG = 8000
_LARGEST_BATCH = 100


class StepRun:
    """One step's MLflow run, to write to."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._client = MlflowClient()

    def epoch(self, epoch: Epoch) -> None:
        """Metrics of one epoch, at the epoch as step."""
        values = epoch.model_dump(exclude={"epoch"}, exclude_none=True)
        self._log_metrics(values, step=round(epoch.epoch))

    def params(self, params: Mapping[str, object]) -> None:
        """Parameters, nested ones by dotted name. Repeating equal ones is harmless."""
        flat = [Param(name, str(value)[:_LONGEST_PARAM]) for name, value in _flat(params)]
        for start in range(0, len(flat), _LARGEST_BATCH):
            self._client.log_batch(self.run_id, params=flat[start : start + _LARGEST_BATCH])

    def metrics(self, metrics: Mapping[str, float | None]) -> None:
        """Single values; None is left out."""
        self._log_metrics(
            {name: value for name, value in metrics.items() if value is not None}, step=0
        )

    def _log_metrics(self, values: Mapping[str, float], *, step: int) -> None:
        now_ms = int(time.time() * 1000)
        rows = [Metric(name, float(value), now_ms, step) for name, value in values.items()]
        self._client.log_batch(self.run_id, metrics=rows)

    def tags(self, tags: Mapping[str, str]) -> None:
        """Tags of the run."""
        rows = [RunTag(name, value[:_LONGEST_TAG]) for name, value in tags.items()]
        self._client.log_batch(self.run_id, tags=rows)

    def file(self, path: Path, folder: str | None = None) -> None:
        """A file, kept with the run."""
        self._client.log_artifact(self.run_id, str(path), folder)

    def text(self, text: str, name: str) -> None:
        """A small file of this name, kept with the run; a later one takes its place."""
        self._client.log_text(self.run_id, text, name)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """What a training made: where, how large, how good, how long it took."""
        self.tags({"digest": checkpoint.digest, "uri": checkpoint.artifact.uri})
        self.metrics(
            {
                "parameters": checkpoint.parameters,
                "best_epoch": checkpoint.best_epoch,
                "training_seconds": checkpoint.training_seconds,
            }
        )

    def candidate(self, candidate: Candidate) -> None:
        """What an export made: how large, how far from its reference, what was fused."""
        self.tags({"digest": candidate.digest, "uri": candidate.artifact.uri})
        self.metrics({"size_bytes": candidate.size_bytes})
        self.metrics({f"fused_{name}": n for name, n in candidate.fused_operators.items()})
        for parity in candidate.parities:
            step = parity.step.replace(" ", "_")
            self.metrics(
                {
                    f"{step}_max_abs_logit_difference": parity.max_abs_logit_difference,
                    f"{step}_mean_kl": parity.mean_kl,
                    f"{step}_label_flip_rate": parity.label_flip_rate,
                    f"{step}_rank_disagreement": parity.rank_disagreement,
                }
            )
        if candidate.parity_failure is not None:
            self.tags({"parity_failure": candidate.parity_failure})

    def dataset(self, dataset: Dataset) -> None:
        """The data set as an MLflow dataset input, by digest."""
        address = storage.address(dataset.artifact)
        kind = "S3" if address.startswith("s3://") else "Local"
        source = getattr(mlflow.data.sources, f"{kind}ArtifactDatasetSource")(address)
        mlflow.log_input(
            mlflow.data.meta_dataset.MetaDataset(  # type: ignore[abstract]
                source, name=dataset.name, digest=dataset.digest[:32]
            ),
            context="training",
        )


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    match value:
        case Mapping():
            inside = [(str(name), one) for name, one in value.items()]
        case list() | tuple() if value and isinstance(value[0], Mapping):
            inside = [(str(i), one) for i, one in enumerate(value)]
        case _:
            yield prefix, value
            return
    for name, one in inside:
        yield from _flat(one, f"{prefix}.{name}" if prefix else name)
