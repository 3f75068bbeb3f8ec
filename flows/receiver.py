"""Hears the registry's webhooks and starts a reconcile run for each: an ASGI application.

A delivery is a hint that something moved; what is to be done is read from the registry. One that
cannot be passed on is answered 503, so that MLflow sends it again.
"""

import logging
import time

import httpx
import uvicorn
from prefect import get_client
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from distillery import storage, tracking, webhooks
from distillery.webhooks import Delivery, RefusedDeliveryError, SeenDeliveries

log = logging.getLogger("distillery.receiver")

_DEPLOYMENT = "reconcile/reconcile"
_LARGEST_BODY = 64 * 1024


def application(secret: str, seen: SeenDeliveries) -> Starlette:
    """``POST /`` takes deliveries; ``GET /health`` answers."""

    async def receive(request: Request) -> Response:
        now = time.time()
        try:
            delivery = webhooks.verified(request.headers, await _body(request), secret, now)
            seen.refuse_repeated(delivery.id)
            if delivery.event not in webhooks.EVENTS or delivery.alias != tracking.CHAMPION:
                return JSONResponse({"started": None, "reason": "no champion was moved"})
            flow_run_id = await _start(delivery)
        except RefusedDeliveryError as refused:
            log.warning("refused a delivery: %s", refused)
            return JSONResponse({"refused": str(refused)}, refused.status)
        seen.take(delivery.id, now)
        log.info("%s of %s: reconcile run %s", delivery.event, delivery.model, flow_run_id)
        return JSONResponse({"started": flow_run_id}, 202)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[Route("/", receive, methods=["POST"]), Route("/health", health, methods=["GET"])]
    )


def serve(host: str, port: int) -> None:
    """Until Ctrl-C. Raises ``UserError`` where there is no secret, or nothing can be written."""
    secret = webhooks.secret()
    seen = SeenDeliveries(storage.ready() / "deliveries.db")
    uvicorn.run(application(secret, seen), host=host, port=port, log_level="warning")


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise RefusedDeliveryError(413, f"the body is larger than {_LARGEST_BODY} bytes")
    return body


async def _start(delivery: Delivery) -> str:
    """The flow run: the same for the same delivery.

    Raises ``RefusedDeliveryError`` (503) for what may go better later.
    """
    try:
        async with get_client() as client:
            deployment = await client.read_deployment_by_name(_DEPLOYMENT)
            run = await client.create_flow_run_from_deployment(
                deployment.id, idempotency_key=delivery.id
            )
            return str(run.id)
    except ObjectNotFound as error:
        raise RefusedDeliveryError(
            503, f"Prefect has no deployment {_DEPLOYMENT}: run distillery deploy-flows"
        ) from error
    except (httpx.HTTPError, PrefectHTTPStatusError, RuntimeError, OSError) as error:
        raise RefusedDeliveryError(503, f"Prefect does not answer: {error}") from error
