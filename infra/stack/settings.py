"""What a stack is set to: ports, generated secrets, and the environment its users source."""

import base64
import os
import secrets
import shlex
from pathlib import Path

from pydantic import Field

from distillery import storage
from distillery.noun import Noun

BUCKET, MLFLOW_BUCKET, REGION = "distillery", "mlflow", "us-east-1"
DATABASES = ("prefect", "mlflow", "mlflow_auth")
ADMIN = "admin"

_MLFLOW_AUTH = """[mlflow]
default_permission = READ
database_uri = {database}
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
# one worker, so no other holds an old password: a check costs tens of milliseconds a request
auth_cache_ttl_seconds = 60
"""


class Ports(Noun):
    """Where each server listens, on 127.0.0.1."""

    postgres: int = Field(default=5442, ge=1, le=65535)
    store: int = Field(default=9000, ge=1, le=65535)
    mlflow: int = Field(default=5000, ge=1, le=65535)
    prefect: int = Field(default=4200, ge=1, le=65535)
    receiver: int = Field(default=8200, ge=1, le=65535)


def _secret() -> str:
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")


class Secrets(Noun):
    """Made once, kept in a file that only its owner reads."""

    postgres: str = Field(default_factory=_secret)
    mlflow: str = Field(default_factory=_secret)
    mlflow_session: str = Field(default_factory=_secret)
    store: str = Field(default_factory=_secret)
    webhook: str = Field(default_factory=_secret)
    webhook_encryption: str = Field(default_factory=_fernet_key)


class Settings(Noun):
    """Of one stack, in its folder."""

    folder: Path
    ports: Ports = Ports()
    secrets: Secrets = Field(default_factory=Secrets)

    @property
    def store_address(self) -> str:
        return f"http://127.0.0.1:{self.ports.store}"

    @property
    def mlflow_address(self) -> str:
        return f"http://127.0.0.1:{self.ports.mlflow}"

    @property
    def prefect_address(self) -> str:
        return f"http://127.0.0.1:{self.ports.prefect}"

    @property
    def receiver_address(self) -> str:
        return f"http://127.0.0.1:{self.ports.receiver}"

    def database(self, name: str, driver: str = "") -> str:
        """The URL of a database; ``driver`` as SQLAlchemy names it, such as ``+asyncpg``."""
        where = f"127.0.0.1:{self.ports.postgres}/{name}"
        return f"postgresql{driver}://distillery:{self.secrets.postgres}@{where}"

    @property
    def environment(self) -> dict[str, str]:
        """What a person, a worker or a test sets to use this stack."""
        return {
            "PREFECT_API_URL": f"{self.prefect_address}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_EXTRA_LOGGERS": "distillery",
            # what the server answers while its database starts again
            "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
            "MLFLOW_TRACKING_URI": self.mlflow_address,
            "MLFLOW_TRACKING_USERNAME": ADMIN,
            "MLFLOW_TRACKING_PASSWORD": self.secrets.mlflow,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "AWS_ENDPOINT_URL": self.store_address,
            "AWS_ACCESS_KEY_ID": "distillery",
            "AWS_SECRET_ACCESS_KEY": self.secrets.store,
            "AWS_DEFAULT_REGION": REGION,
            "DISTILLERY_STORAGE": f"s3://{BUCKET}",
            "DISTILLERY_CACHE": str(self.folder.parent),
            "DISTILLERY_WEBHOOK_SECRET": self.secrets.webhook,
        }

    def write(self) -> None:
        """The settings, the file that a shell sources, and MLflow's; all for their owner alone."""
        write_private(self.folder / "settings.json", self.model_dump_json(indent=1))
        lines = [f"{name}={shlex.quote(value)}" for name, value in self.environment.items()]
        write_private(self.folder / "env", "\n".join(lines) + "\n")
        write_private(
            self.folder / "mlflow-auth.ini",
            _MLFLOW_AUTH.format(database=self.database("mlflow_auth", "+psycopg"), admin=ADMIN),
        )


def folder() -> Path:
    """Of this storage's stack."""
    return storage.root() / "stack"


def load(place: Path) -> Settings | None:
    """The settings of the stack in this folder, or None where there never was one."""
    try:
        text = (place / "settings.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    # where the folder was moved to counts, not where it was
    return Settings.model_validate_json(text).model_copy(update={"folder": place})


def write_private(path: Path, text: str) -> None:
    """Atomic, and readable by its owner alone from the first byte."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    aside.replace(path)
