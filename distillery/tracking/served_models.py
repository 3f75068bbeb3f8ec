"""What is served, from the registry's side: a candidate logged as a pyfunc model, and asked."""

import base64
import json
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import mlflow.pyfunc
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import AnyType, ColSpec, DataType, Map, Schema

from distillery import storage
from distillery.errors import UserError
from distillery.nouns import Candidate, RegisteredVersion
from distillery.tracking.versions import DIGEST, add_version, find_version
from distillery.tracking.writing import StepRun

if TYPE_CHECKING:
    from distillery.runtimes.base import Card

_LIBRARY = Path(__file__).parents[1]
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


def register(
    candidate: Candidate,
    *,
    model: str,
    tags: Mapping[str, str],
    step: StepRun,
    threads: int = 0,
    description: str = "",
) -> RegisteredVersion:
    """The candidate as a version of the registered model, once a digest.

    It is served with so many ``threads``, as it was measured; 0 is one a core. The ``description``
    is for whoever chooses a version on MLflow's page. Must be called inside its ``step_run``.
    Registering the same content again returns the version there is, whoever made it.
    """
    existing = find_version(model, candidate.digest)
    if existing is not None:
        return existing
    folder = storage.fetch(candidate.artifact)
    card = _card(folder)
    with tempfile.TemporaryDirectory() as staging, warnings.catch_warnings():
        # an example would make MLflow load and run the model; the signature says it all
        warnings.filterwarnings("ignore", message=".*An input example was not provided.*")
        info = mlflow.pyfunc.log_model(
            name=candidate.name.replace(" ", "-"),
            python_model=str(_LIBRARY / "serving" / _served_by(card)),
            artifacts={"candidate": str(folder), "serving": str(_settings(Path(staging), threads))},
            code_paths=[str(_runtime_package(Path(staging)))],
            signature=_signature(card),
            pip_requirements=_requirements(card),
        )
    return add_version(
        model,
        source=info.model_uri,
        model_id=info.model_id,
        run_id=step.run_id,
        tags={DIGEST: candidate.digest, **tags},
        description=description,
    )


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
    packages = ["mlflow", "numpy", "onnxruntime", "pandas", "tokenizers"]
    if card.kind == "image":
        packages.append("pillow")
    return [f"{package}=={installed(package)}" for package in packages]


def _settings(staging: Path, threads: int) -> Path:
    """How it is served. No ``model_config``, which MLflow also logs as parameters of the run: they
    cannot change, and a step registers candidates with different threads."""
    file = staging / "serving.json"
    file.write_text(json.dumps({"threads": threads}), encoding="utf-8")
    return file


def _runtime_package(staging: Path) -> Path:
    """The part of distillery that a served model needs: the engine, without torch."""
    package = staging / "distillery"
    for name in _SERVED_FILES:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_LIBRARY / name, package / name)
    return package
