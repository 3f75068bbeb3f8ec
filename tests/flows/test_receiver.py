"""The receiver where Prefect cannot be told: MLflow is asked to send again."""

import asyncio
import json
import socket
import time
from pathlib import Path

import httpx
from mlflow.webhooks import delivery as mlflows
from prefect.settings import PREFECT_API_URL, temporary_settings

from distillery.webhooks import SeenDeliveries
from flows.receiver import application

SECRET = "a secret that is long enough"


def _deliver(tmp_path: Path, said: dict[str, object], *, times: int = 1) -> list[httpx.Response]:
    with socket.socket() as probe:  # nobody listens there
        probe.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}/api"
    body = json.dumps(said)
    timestamp = str(int(time.time()))
    headers = {
        "X-MLflow-Delivery-Id": "d-1",
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": mlflows._generate_hmac_signature(SECRET, "d-1", timestamp, body),
    }
    receiver = application(SECRET, SeenDeliveries(tmp_path / "deliveries.db"))

    async def post() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=receiver)
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
            return [await client.post("/", content=body, headers=headers) for _ in range(times)]

    with temporary_settings({PREFECT_API_URL: nowhere}):
        return asyncio.run(post())


def _event(alias: str = "champion", action: str = "created") -> dict[str, object]:
    data = {"name": "quickstart", "alias": alias, "version": "2"}
    return {"entity": "model_version_alias", "action": action, "data": data}


def test_while_prefect_is_down_a_delivery_may_come_again(tmp_path: Path) -> None:
    first, second = _deliver(tmp_path, _event(), times=2)
    assert [first.status_code, second.status_code] == [503, 503], "and it is not a repetition"
    assert "Prefect does not answer" in first.json()["refused"]


def test_what_moves_no_champion_starts_nothing(tmp_path: Path) -> None:
    data = {"name": "quickstart"}
    tag: dict[str, object] = {"entity": "model_version_tag", "action": "set", "data": data}
    for said in (_event("previous"), tag):
        (answer,) = _deliver(tmp_path, said)
        assert (answer.status_code, answer.json()["started"]) == (200, None)


def test_too_large_a_body_is_not_read(tmp_path: Path) -> None:
    (answer,) = _deliver(tmp_path, _event("x" * 70_000))
    assert answer.status_code == 413
