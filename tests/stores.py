"""An S3 store over HTTP: moto's server, which can be told to fail."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BUCKET = "distillery"
_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


# over all stores: the library keeps one client an address
_PREFIXES = (f"team-{number}" for number in count())


class Store:
    """``fails`` is asked for each request (method, path), and answers with a status, or None."""

    def __init__(self) -> None:
        self._inner = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler
        )
        self.address = f"http://127.0.0.1:{self._server.port}"
        self.fails: Callable[[str, str], int | None] = lambda method, path: None
        self.client: Any = boto3.client("s3", endpoint_url=self.address, **_KEYS)
        self.renew()

    @contextmanager
    def running(self) -> Iterator["Store"]:
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        self.client.create_bucket(Bucket=BUCKET)
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """What a user sets to keep a storage here."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "DISTILLERY_STORAGE": f"s3://{BUCKET}/{self.prefix}",
        }

    def renew(self) -> None:
        """Another prefix, where nothing lies yet; and no failures."""
        self.prefix = next(_PREFIXES)
        self.fails = lambda method, path: None

    def objects(self) -> list[str]:
        """Of every object under the prefix, without it."""
        under = f"{self.prefix}/"
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=under).get("Contents", ())
        return [one["Key"].removeprefix(under) for one in found]

    def write(self, key: str, data: bytes) -> None:
        """Behind everyone's back."""
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}", Body=data)

    def remove(self, key: str) -> None:
        """Behind everyone's back."""
        self.client.delete_object(Bucket=BUCKET, Key=f"{self.prefix}/{key}")

    def _answer(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        status = self.fails(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if status is None:
            answer: Iterable[bytes] = self._inner(environ, start_response)
            return answer
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(f"{status} told to", [("Content-Type", "application/xml")])
        code = {403: "AccessDenied", 503: "SlowDown"}.get(status, "InternalError")
        return [f"<Error><Code>{code}</Code><Message>told to</Message></Error>".encode()]
