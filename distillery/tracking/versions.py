"""Registered models and their versions: found, named by aliases, tagged, fetched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from distillery import storage
from distillery.errors import UserError
from distillery.nouns import Artifact, RegisteredVersion

CHAMPION, PREVIOUS = "champion", "previous"
DIGEST = "distillery.digest"
"""A version's tag: of the candidate that it holds."""

_NO_SUCH = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


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


def add_version(
    model: str,
    *,
    source: str,
    model_id: str,
    run_id: str,
    tags: Mapping[str, str],
    description: str,
) -> RegisteredVersion:
    """A new version of the registered model, which is made where there is none."""
    client = MlflowClient()
    _ensure_model(client, model)
    version = client.create_model_version(
        model,
        source=source,
        run_id=run_id,
        model_id=model_id,
        tags=dict(tags),
        description=description or None,
    )
    return _registered(model, version)


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


def _ensure_model(client: MlflowClient, model: str) -> None:
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


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
