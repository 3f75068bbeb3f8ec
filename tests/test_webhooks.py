"""Only MLflow, only now, only once."""

import json
from pathlib import Path

import pytest
from mlflow.webhooks import delivery as mlflows

from distillery import webhooks
from distillery.errors import UserError
from distillery.webhooks import RefusedDeliveryError, SeenDeliveries

SECRET = "a secret that is long enough"
NOW = 1_800_000_000.0
BODY = json.dumps(
    {
        "entity": "model_version_alias",
        "action": "created",
        "timestamp": "2027-01-15T08:00:00+00:00",
        "data": {"name": "quickstart", "alias": "champion", "version": "3"},
    }
).encode()


def _headers(
    body: bytes = BODY, *, at: float = NOW, secret: str = SECRET, delivery_id: str = "d-1"
) -> dict[str, str]:
    """As MLflow itself signs."""
    timestamp = str(int(at))
    signature = mlflows._generate_hmac_signature(secret, delivery_id, timestamp, body.decode())
    return {
        "x-mlflow-delivery-id": delivery_id,
        "x-mlflow-timestamp": timestamp,
        "x-mlflow-signature": signature,
    }


def test_what_mlflow_signs_is_taken() -> None:
    found = webhooks.verified(_headers(), BODY, SECRET, NOW + 1)
    assert (found.id, found.event) == ("d-1", "model_version_alias.created")
    assert (found.model, found.alias) == ("quickstart", "champion")


@pytest.mark.parametrize(
    ("headers", "body", "status", "reason"),
    [
        ({}, BODY, 401, "unsigned"),
        (_headers(secret="another secret, long enough"), BODY, 401, "not of this secret"),
        (_headers(), BODY.replace(b'"3"', b'"4"'), 401, "not of this secret"),
        (_headers() | {"x-mlflow-delivery-id": "d-2"}, BODY, 401, "not of this secret"),
        (_headers() | {"x-mlflow-timestamp": str(int(NOW) + 1)}, BODY, 401, "not of this secret"),
        (_headers() | {"x-mlflow-signature": "v1,ééé"}, BODY, 401, "not of this secret"),
        (_headers(at=NOW - 301), BODY, 401, "more than 300 s"),
        (_headers(at=NOW + 301), BODY, 401, "more than 300 s"),
        (_headers(b"[]"), b"[]", 400, "no event"),
        (_headers(b"{"), b"{", 400, "no event"),
        (_headers(b'{"entity": 1}'), b'{"entity": 1}', 400, "no event"),
    ],
)
def test_what_is_forged_stale_or_empty_is_refused(
    headers: dict[str, str], body: bytes, status: int, reason: str
) -> None:
    with pytest.raises(RefusedDeliveryError, match=reason) as refused:
        webhooks.verified(headers, body, SECRET, NOW)
    assert refused.value.status == status


def test_a_delivery_is_taken_once_also_after_a_restart(tmp_path: Path) -> None:
    seen = SeenDeliveries(tmp_path / "deliveries.db")
    seen.refuse_repeated("d-1")
    seen.take("d-1", NOW)
    again = SeenDeliveries(tmp_path / "deliveries.db")
    with pytest.raises(RefusedDeliveryError, match="taken already") as refused:
        again.refuse_repeated("d-1")
    assert refused.value.status == 409


def test_what_a_timestamp_refuses_anyway_is_forgotten(tmp_path: Path) -> None:
    seen = SeenDeliveries(tmp_path / "deliveries.db")
    seen.take("old", NOW)
    seen.take("recent", NOW + 2 * webhooks.WINDOW_SECONDS)
    seen.take("new", NOW + 4 * webhooks.WINDOW_SECONDS)
    seen.refuse_repeated("old")
    with pytest.raises(RefusedDeliveryError):
        seen.refuse_repeated("recent")


def test_the_secret_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "short"):
        monkeypatch.setenv("DISTILLERY_WEBHOOK_SECRET", value)
        with pytest.raises(UserError, match="DISTILLERY_WEBHOOK_SECRET must hold"):
            webhooks.secret()
    monkeypatch.setenv("DISTILLERY_WEBHOOK_SECRET", SECRET)
    assert webhooks.secret() == SECRET
