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
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from mlflow.entities.webhook import WebhookEvent, WebhookEventStr
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Map, Schema

from distillery import heartbeat, provenance, storage
from distillery.errors import UserError
from distillery.lost_runs import OpenFlowRun
from distillery.nouns import Artifact, Candidate, Checkpoint, Dataset, Epoch, RegisteredVersion

if TYPE_CHECKING:
    from distillery.runtimes.base import Card

log = logging.getLogger(__name__)

CHAMPION, PREVIOUS = "champion", "previous"
WATCHES = "distillery.watches"
"""A run's tag: the served version whose life it writes down, as ``model/version``."""

_FLOW_RUN, _STEP, _OWNER = "distillery.flow_run_id", "distillery.step", "distillery.owner"
DIGEST, _UNFINISHED = "distillery.digest", "RUNNING"
_HEARTBEAT = "distillery.heartbeat"
_NO_SUCH = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
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
    "serving/reading.py",
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


def register(
    candidate: Candidate, *, model: str, tags: Mapping[str, str], step: StepRun, threads: int = 0
) -> RegisteredVersion:
    """The candidate as a version of the registered model, once a digest.

    It is served with so many ``threads``, as it was measured; 0 is one a core. Must be called
    inside its ``step_run``. Registering the same content again returns the version there is,
    whoever made it.
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
                model_config={"threads": threads},
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
            tags={DIGEST: candidate.digest, **tags},
        )
    return _registered(model, version)


def find_version(model: str, digest: str) -> RegisteredVersion | None:
    """The version that holds this content, or None."""
    found = MlflowClient().search_model_versions(
        f"name = '{model}' and tags.`{DIGEST}` = '{digest}'"
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
        if error.error_code in _NO_SUCH:
            return None
        raise


def set_alias(version: RegisteredVersion, alias: str) -> None:
    """The alias names this version, and no other. Repeatable."""
    MlflowClient().set_registered_model_alias(version.model, alias, version.version)


def remove_alias(model: str, alias: str) -> None:
    """The alias names no version. Repeatable."""
    MlflowClient().delete_registered_model_alias(model, alias)


def model_tags(model: str) -> dict[str, str] | None:
    """The tags of a registered model itself, or None where there is no such model."""
    try:
        return dict(MlflowClient().get_registered_model(model).tags)
    except MlflowException as error:
        if error.error_code in _NO_SUCH:
            return None
        raise


def tags_of_models() -> dict[str, dict[str, str]]:
    """Every registered model's own tags, by its name."""
    found: dict[str, dict[str, str]] = {}
    token: str | None = None
    while True:
        page = MlflowClient().search_registered_models(max_results=500, page_token=token)
        found |= {model.name: dict(model.tags) for model in page}
        token = page.token
        if not token:
            return found


def tag_model(model: str, tags: Mapping[str, str]) -> None:
    """Set tags of a registered model itself."""
    for name, value in tags.items():
        MlflowClient().set_registered_model_tag(model, name, value)


def untag_model(model: str, name: str) -> None:
    """Take a tag of a registered model itself away. Repeatable."""
    if name in (model_tags(model) or {}):
        MlflowClient().delete_registered_model_tag(model, name)


def version_at(uri: str) -> RegisteredVersion:
    """The version that ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` names.

    Raises ``UserError`` where there is none.
    """
    model, at, alias = uri.removeprefix("models:/").partition("@")
    if at:
        found = version_by_alias(model, alias)
    else:
        model, _, number = model.rpartition("/")
        found = version_by_number(model, number)
    if found is None:
        raise UserError(
            f"there is no registered model '{uri}'; give models:/NAME@champion or "
            "models:/NAME/VERSION"
        )
    return found


def version_by_number(model: str, number: str) -> RegisteredVersion | None:
    """The version of that number, or None where there is none."""
    try:
        return _registered(model, MlflowClient().get_model_version(model, number))
    except MlflowException as error:
        if error.error_code in _NO_SUCH:
            return None
        raise


def tag_version(version: RegisteredVersion, tags: Mapping[str, str]) -> None:
    """Set tags of a registered version."""
    for name, value in tags.items():
        MlflowClient().set_model_version_tag(version.model, version.version, name, value)


def untag_version(version: RegisteredVersion, name: str) -> None:
    """Take a tag from a registered version. Repeatable."""
    MlflowClient().delete_model_version_tag(version.model, version.version, name)


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


def download_model(version: RegisteredVersion, folder: Path) -> None:
    """The whole MLflow model of a registered version, into an existing folder.

    Raises ``UserError`` where the registry or its artifact store does not give it.
    """
    try:
        mlflow.artifacts.download_artifacts(artifact_uri=version.uri, dst_path=str(folder))
    except (MlflowException, OSError) as error:
        raise UserError(
            f"cannot download {version.uri}: {str(error).splitlines()[0][:200]}; is the artifact "
            "store there, and the version not deleted?"
        ) from error


def file_of(version: RegisteredVersion, name: str) -> str | None:
    """The text of a file of the flow run that registered a version; None where it is gone."""
    run_id = tags_of(version).get("distillery.mlflow_run_id")
    if run_id is None:
        return None
    try:
        return str(mlflow.artifacts.load_text(f"runs:/{run_id}/{name}"))
    except (MlflowException, OSError):
        return None


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
    except ValueError as error:
        raise UserError(f"cannot load '{uri}': {error}") from error
    columns = loaded.metadata.get_input_schema().input_names()
    rows = [(example,) if isinstance(example, str) else example for example in examples]
    if columns == ["image"]:
        if any(len(row) != 1 for row in rows):
            raise UserError(f"'{uri}' takes one image a row, not pairs")
        rows = [(_base64(row[0]),) for row in rows]
    elif any(len(row) != len(columns) for row in rows):
        raise UserError(f"'{uri}' takes {len(columns)} texts a row: {' and '.join(columns)}")
    elif (broken := _not_utf8(rows)) is not None:
        raise UserError(f"text {broken} is not UTF-8; decode it from whatever encoding it has")
    try:
        found: pd.DataFrame = loaded.predict(pd.DataFrame(rows, columns=columns))
    except ValueError as error:
        raise UserError(f"'{uri}' cannot read an example: {error}") from error
    return [{str(k): v for k, v in record.items()} for record in found.to_dict("records")]


def _not_utf8(rows: Sequence[tuple[str, ...]]) -> int | None:
    """The first row, from 1, that a terminal gave bytes for which are no UTF-8."""
    for number, row in enumerate(rows, start=1):
        try:
            "".join(row).encode()
        except UnicodeEncodeError:
            return number
    return None


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
    # an image is a string or nested lists; and of a column of strings MLflow's server makes strings
    # of whatever was sent, null too, before the model can refuse it
    names = ["image"] if card.kind == "image" else ["text", "text_pair"][: 1 + card.is_pair]
    columns = [ColSpec(AnyType(), name) for name in names]  # type: ignore[no-untyped-call]
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
        candidate_digest=tags.get(DIGEST, ""),
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


def ensure_webhook(name: str, url: str, events: Sequence[WebhookEventStr], secret: str) -> None:
    """The tracking server tells this address of these events, signed. Repeatable.

    Raises ``UserError`` where the server has no webhooks, or refuses the address.
    """
    client = MlflowClient()
    wanted: list[WebhookEventStr | WebhookEvent] = [WebhookEvent.from_str(one) for one in events]
    try:
        token: str | None = None
        while True:
            page = client.list_webhooks(max_results=100, page_token=token)
            same = next((webhook for webhook in page if webhook.name == name), None)
            token = page.token
            if same is not None or not token:
                break
        if same is None:
            client.create_webhook(name, url, wanted, secret=secret)
        else:
            client.update_webhook(
                same.webhook_id, url=url, events=wanted, secret=secret, status="ACTIVE"
            )
    except MlflowException as error:
        raise UserError(
            f"the MLflow tracking server {mlflow.get_tracking_uri()} did not take the webhook "
            f"{url}: {str(error).splitlines()[0][:200]}; for http:// it needs "
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES=http,https, for loopback and private addresses "
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true"
        ) from error


def run_link(run_id: str) -> str | None:
    """The page of a run, where the tracking server has pages."""
    pages = _pages()
    if pages is None:
        return None
    experiment_id = MlflowClient().get_run(run_id).info.experiment_id
    return f"{pages}/experiments/{experiment_id}/runs/{run_id}"


def version_link(version: RegisteredVersion) -> str | None:
    """The page of a registered version, where the tracking server has pages."""
    pages = _pages()
    model = urllib.parse.quote(version.model, safe="")
    return pages and f"{pages}/models/{model}/versions/{version.version}"


def _pages() -> str | None:
    uri = mlflow.get_tracking_uri()
    return f"{uri.rstrip('/')}/#" if uri.startswith(("http://", "https://")) else None
