"""What MLflow's registry calls out: is it really the registry, is it now, is it for the first time.

Signed as Standard Webhooks are (https://www.standardwebhooks.com), with MLflow's own headers: see
``mlflow/webhooks/delivery.py``.
"""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from distillery.errors import UserError
from distillery.noun import Noun

SECRET = "DISTILLERY_WEBHOOK_SECRET"  # noqa: S105  the variable's name
NAME = "distillery"
# of tags none: deciding writes tags, and would call itself
EVENTS: tuple[Literal["model_version_alias.created", "model_version_alias.deleted"], ...] = (
    "model_version_alias.created",
    "model_version_alias.deleted",
)
WINDOW_SECONDS = 300

_DELIVERY_ID, _TIMESTAMP = "x-mlflow-delivery-id", "x-mlflow-timestamp"
_SIGNATURE, _VERSION = "x-mlflow-signature", "v1,"
_LONGEST_ID = 100


class RefusedDeliveryError(Exception):
    """A delivery that starts nothing: an HTTP status and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Delivery(Noun):
    """One that is signed and of now."""

    id: str
    event: str
    """Such as ``model_version_alias.created``."""
    model: str
    alias: str


def secret() -> str:
    """From the environment alone. Raises ``UserError`` where it is not there."""
    found = os.environ.get(SECRET, "")
    if len(found) < 16:
        raise UserError(
            f"{SECRET} must hold the secret that MLflow signs with, at least 16 characters; make "
            "one with: openssl rand -hex 32"
        )
    return found


def verified(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Delivery:
    """``headers`` by lower-case names; ``now`` in seconds since 1970.

    Raises ``RefusedDeliveryError`` (401) for what is not signed with the secret, or not of the
    last five minutes, and (400) for a body that says nothing.
    """
    delivery_id, timestamp = headers.get(_DELIVERY_ID, ""), headers.get(_TIMESTAMP, "")
    signature = headers.get(_SIGNATURE, "")
    if not (delivery_id and timestamp and signature):
        raise RefusedDeliveryError(401, "unsigned: the headers of MLflow's webhooks are missing")
    signed = hmac.new(
        secret.encode(), f"{delivery_id}.{timestamp}.".encode() + body, hashlib.sha256
    )
    expected = _VERSION + base64.b64encode(signed.digest()).decode()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise RefusedDeliveryError(401, "the signature is not of this secret and body")
    # from here on MLflow wrote it
    if len(delivery_id) > _LONGEST_ID:
        raise RefusedDeliveryError(400, "the delivery id is too long")
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > WINDOW_SECONDS:
        raise RefusedDeliveryError(401, f"the timestamp is more than {WINDOW_SECONDS} s from now")
    try:
        said = json.loads(body)
        data = said["data"]
        return Delivery(
            id=delivery_id,
            event=f"{said['entity']}.{said['action']}",
            model=str(data.get("name", "")),
            alias=str(data.get("alias", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedDeliveryError(400, "the body is no event of MLflow's registry") from error


class SeenDeliveries:
    """Ids of deliveries that were taken, kept on disk for as long as a timestamp holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as database:
            database.execute(
                "create table if not exists delivery (id text primary key, seen_at real not null)"
            )

    def refuse_repeated(self, delivery_id: str) -> None:
        """Raises ``RefusedDeliveryError`` (409) for one that was taken."""
        with self._opened() as database:
            query = "select 1 from delivery where id = ?"
            if database.execute(query, (delivery_id,)).fetchone():
                raise RefusedDeliveryError(409, "this delivery was taken already")

    def take(self, delivery_id: str, now: float) -> None:
        """Remember it, and forget those whose timestamps hold no more."""
        with self._opened() as database:
            database.execute("delete from delivery where seen_at < ?", (now - 3 * WINDOW_SECONDS,))
            database.execute("insert or ignore into delivery values (?, ?)", (delivery_id, now))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
            yield database
