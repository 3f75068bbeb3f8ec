"""The only door to MLflow: runs, metrics, models, aliases.

One parent run a flow run, one child a step, both found again by their tags, so that a retry goes
on in the run it began. Runs are named by their owner process too: what a killed process left
RUNNING is closed by whoever comes next (``close_orphans``).
"""

import base64
import logging
import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import mlflow.data.meta_dataset
import mlflow.data.sources
import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Map, Schema

from distillery import provenance, storage
from distillery.errors import UserError
from distillery.nouns import Artifact, Candidate, Checkpoint, Dataset, Epoch, RegisteredVersion

if TYPE_CHECKING:
    from distillery.runtimes.base import Card

log = logging.getLogger(__name__)

CHAMPION, PREVIOUS = "champion", "previous"

_FLOW_RUN, _STEP, _OWNER = "distillery.flow_run_id", "distillery.step", "distillery.owner"
_DIGEST, _UNFINISHED = "distillery.digest", "RUNNING"
_SERVED_FILES = (
    "__init__.py",
    "runtimes/__init__.py",
    "runtimes/base.py",
    "runtimes/images.py",
    "runtimes/onnx_model.py",
    "runtimes/onnx_session.py",
    "runtimes/onnxruntime_cpu.py",
    "runtimes/word_memo.py",
    "serving/__init__.py",
    "serving/base.py",
)
_REACH_SECONDS = 10
_LONGEST_PARAM = 6000
_LONGEST_TAG = 8000
_LARGEST_BATCH = 100


def connect() -> str:
    """Choose the tracking server (``MLFLOW_TRACKING_URI``, default SQLite in the storage).

    Returns its URI. Raises ``UserError`` within seconds where it does not answer.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{storage.ready() / 'mlflow.db'}"
    if uri.startswith(("http://", "https://")):
        _reach(uri)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return uri


def _reach(uri: str) -> None:
    request = urllib.request.Request(  # noqa: S310  the scheme was checked
        f"{uri.rstrip('/')}/api/2.0/mlflow/experiments/get?experiment_id=0"
    )
    named = [os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD")]
    if all(named):
        token = base64.b64encode(":".join(named).encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        urllib.request.urlopen(request, timeout=_REACH_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.UNAUTHORIZED and "MLFLOW_TRACKING_TOKEN" not in os.environ:
            raise UserError(
                f"the MLflow tracking server {uri} does not know who asks; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to a name and password it "
                "knows"
            ) from error
        return  # it answers; what it says is not asked here
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"the MLflow tracking server {uri} does not answer ({reason}); start it, or unset "
            "MLFLOW_TRACKING_URI to use a local SQLite file"
        ) from error


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
    return StepRun(run.info.run_id)


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


def close_flow_run(flow_run_id: str, status: str) -> None:
    """End what a flow run left RUNNING. ``status``: FINISHED, FAILED or KILLED."""
    for run in _search(f"tags.`{_FLOW_RUN}` = '{flow_run_id}' and status = '{_UNFINISHED}'"):
        MlflowClient().set_terminated(run.info.run_id, status)


def mark_cancelled(flow_run_id: str) -> None:
    """KILLED for all of a flow run's runs that did not finish.

    Cancelling raises inside the step first, so its run reads FAILED until this is called.
    """
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


def register(
    candidate: Candidate, *, model: str, tags: Mapping[str, str], step: StepRun
) -> RegisteredVersion:
    """The candidate as a version of the registered model, once a digest.

    Must be called inside its ``step_run``. Registering the same content again returns the version
    there is, whoever made it.
    """
    existing = find_version(model, candidate.digest)
    if existing is not None:
        return existing
    folder = storage.fetch(candidate.artifact)
    card = _card(folder)
    with tempfile.TemporaryDirectory() as staging:
        with warnings.catch_warnings():
            # an example would make MLflow load and run the model; the signature says it all
            warnings.filterwarnings("ignore", message=".*An input example was not provided.*")
            info = mlflow.pyfunc.log_model(
                name=candidate.name.replace(" ", "-"),
                python_model=str(Path(__file__).parent / "serving" / _served_by(card)),
                artifacts={"candidate": str(folder)},
                code_paths=[str(_runtime_package(Path(staging)))],
                signature=_signature(card),
                pip_requirements=_requirements(card),
            )
        client = MlflowClient()
        _ensure_model(client, model)
        version = client.create_model_version(
            model,
            source=info.model_uri,
            run_id=step.run_id,
            model_id=info.model_id,
            tags={_DIGEST: candidate.digest, **tags},
        )
    return _registered(model, version)


def find_version(model: str, digest: str) -> RegisteredVersion | None:
    """The version that holds this content, or None."""
    found = MlflowClient().search_model_versions(
        f"name = '{model}' and tags.`{_DIGEST}` = '{digest}'"
    )
    if not found:
        return None
    oldest = min(int(version.version) for version in found)
    # asked for by number: a search leaves the aliases out
    return _registered(model, MlflowClient().get_model_version(model, str(oldest)))


def champion(model: str) -> RegisteredVersion | None:
    """The version that the alias ``champion`` names, or None."""
    return version_by_alias(model, CHAMPION)


def version_by_alias(model: str, alias: str) -> RegisteredVersion | None:
    """The version an alias names, or None where there is no such model or alias."""
    try:
        return _registered(model, MlflowClient().get_model_version_by_alias(model, alias))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def version_at(uri: str) -> RegisteredVersion:
    """The version that ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` names.

    Raises ``UserError`` where there is none.
    """
    model, at, alias = uri.removeprefix("models:/").partition("@")
    if at:
        found = version_by_alias(model, alias)
    else:
        model, _, number = model.rpartition("/")
        found = _version_by_number(model, number)
    if found is None:
        raise UserError(
            f"there is no registered model '{uri}'; give models:/NAME@champion or "
            "models:/NAME/VERSION"
        )
    return found


def _version_by_number(model: str, number: str) -> RegisteredVersion | None:
    try:
        return _registered(model, MlflowClient().get_model_version(model, number))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def promote(version: RegisteredVersion) -> None:
    """``champion`` moves to this version, ``previous`` to the one it was on. Repeatable.

    ``previous`` moves first: a crash between the two leaves both on the old champion.
    """
    client = MlflowClient()
    reigning = champion(version.model)
    if reigning is not None and reigning.version == version.version:
        return
    if reigning is not None:
        client.set_registered_model_alias(version.model, PREVIOUS, reigning.version)
    client.set_registered_model_alias(version.model, CHAMPION, version.version)


def tag_version(version: RegisteredVersion, tags: Mapping[str, str]) -> None:
    """Set tags of a registered version."""
    for name, value in tags.items():
        MlflowClient().set_model_version_tag(version.model, version.version, name, value)


def tags_of(version: RegisteredVersion) -> dict[str, str]:
    """The tags of a registered version."""
    found = MlflowClient().get_model_version(version.model, version.version)
    return dict(found.tags)


def download(version: RegisteredVersion) -> Artifact:
    """The candidate folder inside a registered version, into the storage."""
    with storage.new_folder() as folder:
        mlflow.artifacts.download_artifacts(artifact_uri=version.uri, dst_path=str(folder))
        inside = [path.parent for path in folder.rglob("candidate.json")]
        if len(inside) != 1:
            raise UserError(
                f"{version.uri} was not registered by distillery: it holds no candidate.json"
            )
        return storage.put(inside[0], "candidate")


def predict(uri: str, examples: Sequence[str] | Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Label and probabilities of each text, or of each image file, from a registered model; or
    each text's score.

    Raises ``UserError`` where there is no such model, or where it cannot read an example.
    """
    import pandas as pd

    try:
        loaded = mlflow.pyfunc.load_model(uri)
    except (MlflowException, OSError) as error:
        raise UserError(
            f"cannot load '{uri}': {str(error).splitlines()[0][:200]}; "
            "give models:/NAME@champion or models:/NAME/VERSION"
        ) from error
    columns = loaded.metadata.get_input_schema().input_names()
    rows = [(example,) if isinstance(example, str) else example for example in examples]
    if columns == ["image"]:
        if any(len(row) != 1 for row in rows):
            raise UserError(f"'{uri}' takes one image a row, not pairs")
        rows = [(_base64(row[0]),) for row in rows]
    elif any(len(row) != len(columns) for row in rows):
        raise UserError(f"'{uri}' takes {len(columns)} texts a row: {' and '.join(columns)}")
    try:
        found: pd.DataFrame = loaded.predict(pd.DataFrame(rows, columns=columns))
    except ValueError as error:
        raise UserError(f"'{uri}' cannot read an example: {error}") from error
    return [{str(k): v for k, v in record.items()} for record in found.to_dict("records")]


def _base64(path: str) -> str:
    """An image file as a served model takes it."""
    from distillery.runtimes.images import decoded

    try:
        data = Path(path).read_bytes()
        decoded(data)
    except OSError as error:
        raise UserError(
            f"cannot read the image '{path}': {error.strerror}; this model takes image files"
        ) from error
    except ValueError as error:
        raise UserError(f"'{path}' is no image that can be read: {error}") from error
    return base64.b64encode(data).decode("ascii")


def _served_by(card: "Card") -> str:
    return "text_scorer.py" if card.gives_scores else f"{card.kind}_classifier.py"


def _signature(card: "Card") -> ModelSignature:
    if card.kind == "image":
        # a string, or nested lists: no single type says so
        columns = [ColSpec(AnyType(), "image")]  # type: ignore[no-untyped-call]
    else:
        names = ["text", "text_pair"] if card.is_pair else ["text"]
        columns = [ColSpec(DataType.string, name) for name in names]
    if card.gives_scores:
        score = ColSpec(DataType.double, "score")
        return ModelSignature(inputs=Schema([*columns]), outputs=Schema([score]))
    return ModelSignature(
        inputs=Schema([*columns]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "label"),
                ColSpec(DataType.double, "probability"),
                ColSpec(Map(DataType.double), "probabilities"),
            ]
        ),
    )


def _card(folder: Path) -> "Card":
    from distillery.runtimes.base import Card

    return Card.read(folder)


def _requirements(card: "Card") -> list[str]:
    from importlib.metadata import version

    packages = ["mlflow", "numpy", "onnxruntime", "pandas", "tokenizers"]
    if card.kind == "image":
        packages.append("pillow")
    return [f"{package}=={version(package)}" for package in packages]


def _runtime_package(staging: Path) -> Path:
    """The part of distillery that a served model needs: the engine, without torch."""
    source = Path(__file__).parent
    package = staging / "distillery"
    for name in _SERVED_FILES:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, package / name)
    return package


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


def _ensure_model(client: MlflowClient, model: str) -> None:
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _find(flow_run_id: str, step: str | None) -> Run | None:
    found = _search(f"tags.`{_FLOW_RUN}` = '{flow_run_id}' and tags.`{_STEP}` = '{step or ''}'")
    return found[0] if found else None


def _search(filter_string: str) -> list[Run]:
    runs = mlflow.search_runs(
        search_all_experiments=True, filter_string=filter_string, output_format="list"
    )
    return list(runs)


def _registered(model: str, version: Any) -> RegisteredVersion:
    tags = dict(version.tags)
    return RegisteredVersion(
        model=model,
        version=str(version.version),
        uri=f"models:/{model}/{version.version}",
        candidate_name=tags.get("distillery.candidate", ""),
        candidate_digest=tags.get(_DIGEST, ""),
        aliases=tuple(sorted(version.aliases)),
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


def run_link(run_id: str) -> str | None:
    """The page of a run, where the tracking server has pages."""
    uri = mlflow.get_tracking_uri()
    if not uri.startswith(("http://", "https://")):
        return None
    experiment_id = MlflowClient().get_run(run_id).info.experiment_id
    return f"{uri.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"
