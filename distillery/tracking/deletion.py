"""MLflow's back door, for keeping house: away with what distillery has there, for good.

``delete_run`` and ``delete_model_version`` only hide; files and rows stay until MLflow's garbage
collection, ``mlflow gc``. That is done here where the store is a database that this process opens
itself. Its command line is not used, since it also empties the rest of MLflow's bin, which may hold
what people mean to restore. Behind a tracking server, whoever runs the server has to do it.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking._tracking_service.utils import _get_store

from distillery.tracking.server import is_behind_a_server

CONDEMNED = "distillery.condemned"
"""The tag of what is being deleted: where that is cut off, it is found again."""

_GONE = "RESOURCE_DOES_NOT_EXIST"


def admins_command() -> str:
    """What whoever runs the tracking server has to do for the files to go."""
    return (
        f"on the MLflow server: mlflow gc --tracking-uri {mlflow.get_tracking_uri()} "
        "--backend-store-uri DATABASE --artifacts-destination STORE; it empties MLflow's bin, "
        "including what others have deleted"
    )


def aliases_of(model: str, version: str) -> tuple[str, ...]:
    """As they are now; none of a version that is gone."""
    try:
        return tuple(MlflowClient().get_model_version(model, version).aliases)
    except MlflowException as error:
        if error.error_code == _GONE:
            return ()
        raise


def remove_version(model: str, version: str) -> None:
    """From the registry; its files stay. Repeatable."""
    try:
        MlflowClient().delete_model_version(model, version)
    except MlflowException as error:
        if error.error_code != _GONE:
            raise


def remove_logged_model(model_id: str) -> None:
    """With its files, where they are in reach. Repeatable: marked first, so that it is found again
    where this is killed."""
    client = MlflowClient()
    try:
        client.set_logged_model_tags(model_id, {CONDEMNED: "true"})
        client.delete_logged_model(model_id)
    except MlflowException as error:
        if error.error_code not in (_GONE, "INVALID_PARAMETER_VALUE"):
            raise  # else it was hidden before, or is gone
    if is_behind_a_server():
        return
    store = database()
    try:
        location = store.get_logged_model(model_id, allow_deleted=True).artifact_location
    except MlflowException as error:
        if error.error_code == _GONE:
            return
        raise
    _remove_files(location)
    store._hard_delete_logged_model(model_id)


def remove_run(run_id: str) -> None:
    """With its files, where they are in reach. Repeatable, in the same way."""
    client = MlflowClient()
    try:
        run = client.get_run(run_id)
        if run.info.lifecycle_stage != LifecycleStage.DELETED:
            client.set_tag(run_id, CONDEMNED, "true")
            client.delete_run(run_id)
    except MlflowException as error:
        if error.error_code == _GONE:
            return
        raise
    if is_behind_a_server():
        return
    _remove_files(run.info.artifact_uri)
    database()._hard_delete_run(run_id)


def database() -> Any:
    """What ``mlflow gc`` uses: it alone deletes for good."""
    return _get_store()  # type: ignore[no-untyped-call]


def local_folder(location: str) -> Path | None:
    """Where the files of a run or of a model lie; None where that is no folder of this machine."""
    parsed = urlparse(location)
    if parsed.scheme not in ("", "file"):
        return None
    return Path(unquote(parsed.path))


def _remove_files(location: str) -> None:
    files: Any = get_artifact_repository(location)
    files.delete_artifacts()
    folder = local_folder(location)
    if folder is not None and folder.name == "artifacts":
        with suppress(OSError):  # MLflow empties <id>/artifacts and leaves <id>; if it is not empty
            folder.parent.rmdir()
