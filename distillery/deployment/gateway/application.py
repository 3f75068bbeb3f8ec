"""The address: HTTP in, passed on to the backend that answers now."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from distillery.deployment.gateway.backend import Backend
from distillery.deployment.gateway.connections import Answer, CutOffError, NotSeenError
from distillery.deployment.gateway.counting import Counts
from distillery.deployment.gateway.release import Release
from distillery.deployment.gateway.switching import NothingAnswersError, Switch

log = logging.getLogger(__name__)

LARGEST_BODY_BYTES = 8 << 20
DIGEST_HEADER = "x-distillery-digest"
_DRAINED_BYTES = 8 * LARGEST_BODY_BYTES
_QUICKLY_PARSED_BYTES = 64 << 10
_WAIT_SECONDS = 15.0
_AGAIN_SECONDS = 0.05
_JSON = "application/json"


class RefusedError(Exception):
    """The request cannot be answered: the status, and one line with why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Address:
    """``POST /invocations``, ``GET /ping``, ``/health``, ``/version`` and ``/metrics``.

    A request with the header ``X-Distillery-Digest`` is answered by that version, which is being
    tried out beside the one that answers, or refused.
    """

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._counts = Counts()
        self.application = Starlette(
            routes=[
                Route("/invocations", self.invocations, methods=["POST"]),
                Route("/ping", self.ping),
                Route("/health", self.ping),
                Route("/version", self.version),
                Route("/metrics", self.metrics),
            ],
            exception_handlers={RefusedError: _refused},
        )

    async def invocations(self, request: Request) -> Response:
        """MLflow's scoring protocol."""
        began = time.perf_counter()
        backend: Backend | None = None
        question: object = None
        answer: object = None
        try:
            body = await _body(request)
            content_type = request.headers.get("content-type", "")
            question = await _parsed(body, content_type)
            backend, answered = await self._ask(request, body, content_type)
            response = Response(answered.content, answered.status, media_type=answered.content_type)
            if answered.status == HTTPStatus.OK:
                answer = answered.content
            else:
                response = _refusal(answered.status, _reason(answered))
        except RefusedError as error:
            response = _refusal(error.status, str(error))
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        now = self._switch.now
        release = backend.release if backend else now[0] if now else None
        if release is not None:
            _name(response, release)
        if release is not None and DIGEST_HEADER not in request.headers:
            seconds = time.perf_counter() - began
            # afterwards: it is not the client who should wait for it
            response.background = BackgroundTask(
                self._count, release, response.status_code, seconds, question, answer
            )
        return response

    async def ping(self, request: Request) -> Response:
        """200 where a request would be answered now."""
        if DIGEST_HEADER in request.headers:
            return _name(Response("\n", media_type=_JSON), self._tried(request).release)
        now = self._switch.now
        if now is None or not self._switch.is_ready:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "no version answers at this moment")
        return _name(Response("\n", media_type=_JSON), now[0])

    async def version(self, request: Request) -> Response:
        """Model, version, digest, and since when."""
        if DIGEST_HEADER in request.headers:
            return _version(self._tried(request).release, since="")
        now = self._switch.now
        if now is None:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "no version is deployed here")
        return _version(*now)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        return Response(self._counts.page(), media_type="text/plain; version=0.0.4")

    async def _ask(
        self, request: Request, body: bytes, content_type: str
    ) -> tuple[Backend, Answer]:
        until = time.monotonic() + _WAIT_SECONDS
        cut_off = False
        while True:
            try:
                backend = (
                    self._tried(request)
                    if DIGEST_HEADER in request.headers
                    else await self._switch.answering(max(0.0, until - time.monotonic()))
                )
                return backend, await backend.ask(body, content_type)
            except NothingAnswersError as error:
                raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
            except NotSeenError as error:
                # it has just died, and never saw this request
                if time.monotonic() > until:
                    raise RefusedError(
                        HTTPStatus.SERVICE_UNAVAILABLE, "the version does not answer"
                    ) from error
                await asyncio.sleep(_AGAIN_SECONDS)
            except TimeoutError as error:
                raise RefusedError(
                    HTTPStatus.GATEWAY_TIMEOUT, "the version took too long to answer"
                ) from error
            except CutOffError as error:
                # asking twice harms nobody; a third time it may be what it dies of
                if cut_off:
                    raise RefusedError(
                        HTTPStatus.SERVICE_UNAVAILABLE,
                        "the version ended twice while it answered this; it is starting again",
                    ) from error
                cut_off = True
                await asyncio.sleep(_AGAIN_SECONDS)

    def _tried(self, request: Request) -> Backend:
        digest = request.headers[DIGEST_HEADER]
        backend = self._switch.tried(digest)
        if backend is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"no version {digest[:12]} is tried out here")
        return backend

    async def _count(
        self, release: Release, status: int, seconds: float, question: object, answer: object
    ) -> None:
        self._counts.answered(release, status, seconds)
        if not isinstance(answer, bytes):
            return
        if len(answer) > _QUICKLY_PARSED_BYTES:
            await asyncio.to_thread(self._counts.predicted, release, question, _json(answer))
        else:
            self._counts.predicted(release, question, _json(answer))


async def _body(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= LARGEST_BODY_BYTES:
            chunks.append(chunk)
        elif size > _DRAINED_BYTES:  # read on for a while: who still sends does not hear
            break
    if size > LARGEST_BODY_BYTES:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"a request may have {LARGEST_BODY_BYTES >> 20} MiB; send fewer rows at once",
        )
    return b"".join(chunks)


async def _parsed(body: bytes, content_type: str) -> object:
    """What was asked, for what is counted; None where it is not looked into."""
    kind = content_type.partition(";")[0].strip().lower()
    if not kind:
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the request names no Content-Type; send {_JSON}"
        )
    read = {_JSON: _json, "text/csv": _table}.get(kind)
    if read is None:
        return None
    try:
        if len(body) > _QUICKLY_PARSED_BYTES:
            return await asyncio.to_thread(read, body)
        return read(body)
    except (ValueError, RecursionError) as error:
        why = str(error).splitlines()[0][:200]
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body is no valid {kind}: {why}") from error


def _json(body: bytes) -> object:
    return json.loads(body)


def _table(body: bytes) -> object:
    return body.decode("utf-8")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError), "registered for it"
    return _refusal(error.status, str(error))


def _refusal(status: int, why: str) -> Response:
    headers = {"retry-after": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse({"error": why}, status, headers)


def _reason(answered: Answer) -> str:
    """The scoring server's own, without its stack trace but for what the model itself said."""
    try:
        said: Any = json.loads(answered.content)
    except ValueError:
        said = answered.content.decode(errors="replace")
    if not isinstance(said, Mapping):
        return str(said).strip()[:500]
    last = str(said.get("stack_trace", "")).strip().splitlines()[-1:]
    if last and last[0].startswith("ValueError: "):
        return last[0].removeprefix("ValueError: ")[:500]
    return str(said.get("message", said)).rpartition("\nError: ")[2].strip()[:500]


def _version(release: Release, since: str) -> Response:
    content = {
        "model": release.model,
        "version": release.version,
        "digest": release.digest,
        "since": since,
    }
    return _name(JSONResponse(content), release)


def _name(response: Response, release: Release) -> Response:
    response.headers["x-distillery-version"] = release.version
    response.headers["x-distillery-digest"] = release.digest
    return response
