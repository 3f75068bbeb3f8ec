"""The tracking server: chosen, asked to tell us of changes, and its pages."""

import base64
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus

import mlflow
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent, WebhookEventStr
from mlflow.exceptions import MlflowException

from distillery import storage
from distillery.errors import UserError
from distillery.nouns import RegisteredVersion

_REACH_SECONDS = 10


def connect() -> str:
    """Choose the tracking server (``MLFLOW_TRACKING_URI``, default SQLite in the storage).

    Returns its URI. Raises ``UserError`` within seconds where it does not answer.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{storage.ready() / 'mlflow.db'}"
    if _is_server(uri):
        _reach(uri)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return uri


def is_behind_a_server() -> bool:
    """Whether files and rows are out of this process's reach."""
    return _is_server(mlflow.get_tracking_uri())


def _is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


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
    return f"{mlflow.get_tracking_uri().rstrip('/')}/#" if is_behind_a_server() else None
