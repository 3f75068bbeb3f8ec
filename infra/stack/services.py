"""What each server of the stack is: command, environment, and how it shows that it is up."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from infra.stack import postgres
from infra.stack.settings import MLFLOW_BUCKET, Settings

POOL = "distillery"
_REPOSITORY = Path(__file__).parents[2]
# what a user's own shell says about other servers is not for these
_OWN = ("PREFECT_", "MLFLOW_", "AWS_", "DISTILLERY_", "PG")


@dataclass(frozen=True, kw_only=True)
class Service:
    """One server. ``port`` is None where it listens nowhere."""

    name: str
    title: str
    port: int | None
    command: tuple[str, ...]
    environment: Mapping[str, str]
    answers: Callable[[float], bool]  # given when its process started, in s since the epoch
    user: str = ""
    first_signal: signal.Signals = field(default=signal.SIGTERM)


def services(settings: Settings) -> dict[str, Service]:
    """By name, in the order in which they start: each needs none that comes later."""
    found = (_postgres(settings), _store(settings), _mlflow(settings), _prefect(settings))
    return {service.name: service for service in (*found, _worker(settings), _receiver(settings))}


def environment(settings: Settings) -> dict[str, str]:
    """What a process of the stack runs in: our own, less what names other servers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    inherited = kept.get("PYTHONPATH")
    return {
        **kept,
        **settings.environment,
        "PREFECT_HOME": str(settings.folder / "prefect"),
        "PYTHONPATH": os.pathsep.join([str(_REPOSITORY), *([inherited] if inherited else [])]),
        "PYTHONUNBUFFERED": "1",
    }


def _postgres(settings: Settings) -> Service:
    data = postgres.data_folder(settings.folder)
    return Service(
        name="postgres",
        title="PostgreSQL",
        port=settings.ports.postgres,
        command=postgres.command(settings, data),
        environment={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        answers=lambda _: postgres.answers(settings),
        user=postgres.runs_as(),
        # ends sessions now, and leaves nothing to recover
        first_signal=signal.SIGINT,
    )


def _store(settings: Settings) -> Service:
    folder = settings.folder / "objects"
    return Service(
        name="store",
        title="S3 (moto)",
        port=settings.ports.store,
        command=_python("infra.stack.store", str(folder), str(settings.ports.store)),
        environment=environment(settings),
        answers=lambda _: _says(f"{settings.store_address}/moto-api/data.json"),
    )


def _mlflow(settings: Settings) -> Service:
    return Service(
        name="mlflow",
        title="MLflow",
        port=settings.ports.mlflow,
        command=_python(
            *("mlflow", "server", "--host", "127.0.0.1", "--port", str(settings.ports.mlflow)),
            *("--workers", "1", "--app-name", "basic-auth"),
        ),
        environment={
            **environment(settings),
            # in the environment, not in the arguments: everyone may read those
            "MLFLOW_BACKEND_STORE_URI": settings.database("mlflow", "+psycopg"),
            "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{MLFLOW_BUCKET}",
            "MLFLOW_S3_ENDPOINT_URL": settings.store_address,
            "MLFLOW_AUTH_CONFIG_PATH": str(settings.folder / "mlflow-auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": settings.secrets.mlflow,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": settings.secrets.mlflow_session,
            # without it, webhooks cannot be read after a restart
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": settings.secrets.webhook_encryption,
            # the receiver is on loopback, and so is everything else here
            "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
            **shared_settings("mlflow/server.env"),
        },
        answers=lambda _: _says(f"{settings.mlflow_address}/health"),
    )


def _prefect(settings: Settings) -> Service:
    return Service(
        name="prefect",
        title="Prefect",
        port=settings.ports.prefect,
        command=_python(
            *("prefect", "server", "start", "--host", "127.0.0.1"),
            *("--port", str(settings.ports.prefect)),
        ),
        environment={
            **environment(settings),
            "PREFECT_API_DATABASE_CONNECTION_URL": settings.database("prefect", "+asyncpg"),
            # the page asks port 4200 unless it is told
            "PREFECT_SERVER_UI_API_URL": f"{settings.prefect_address}/api",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            **shared_settings("infra/prefect.env"),
        },
        answers=lambda _: _says(f"{settings.prefect_address}/api/health"),
    )


def _worker(settings: Settings) -> Service:
    return Service(
        name="worker",
        title="Worker",
        port=None,
        command=_python("prefect", "worker", "start", "--pool", POOL, "--name", "stack"),
        environment={
            **environment(settings),
            "PREFECT_WORKER_QUERY_SECONDS": "3",
            **shared_settings("infra/prefect.env"),
        },
        answers=lambda since: _is_online(settings, since),
    )


def _receiver(settings: Settings) -> Service:
    return Service(
        name="receiver",
        title="Webhooks",
        port=settings.ports.receiver,
        command=_python(*("flows.cli", "receive-webhooks", "--port", str(settings.ports.receiver))),
        environment=environment(settings),
        answers=lambda _: _says(f"{settings.receiver_address}/health"),
    )


def shared_settings(path: str) -> dict[str, str]:
    """Of the repository's file for servers however they are started: NAME=value, and comments."""
    lines = (_REPOSITORY / path).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def _python(*module_and_arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *module_and_arguments)


def _says(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  http, on loopback
    except OSError:
        return False
    return True


def _is_online(settings: Settings, since: float) -> bool:
    """Whether the worker told the server that it is there, since it started."""
    url = f"{settings.prefect_address}/api/work_pools/{POOL}/workers/filter"
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310
            workers = json.load(answer)
    except (OSError, ValueError):
        return False
    return any(
        one["name"] == "stack"
        and datetime.fromisoformat(one["last_heartbeat_time"]).timestamp() > since
        for one in workers
    )
