"""What stands in for a place where a model is served: counts as told, and a real HTTP address."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from distillery.deployment.base import DeploymentError, Observed, Place, Served
from distillery.nouns import RegisteredVersion


class Shelf(Place):
    """A fake place: what serves is what was put on it."""

    serves: str | None = None
    digest: str = "d"
    address: str = "http://127.0.0.1:9"
    since: str = "2026-01-01T00:00:00+00:00"
    counts: dict[str, int] | None = None
    lengths: tuple[int, ...] = ()
    breaks: bool = False

    def check(self) -> None: ...

    def serving(self, model: str) -> Served | None:
        if self.breaks:
            raise DeploymentError("nobody is at home")
        if self.serves is None:
            return None
        return Served(
            model=model,
            version=self.serves,
            digest=self.digest,
            address=self.address,
            since=self.since,
        )

    def deploy(self, version: RegisteredVersion) -> Served:
        raise NotImplementedError

    def observed(self, model: str) -> Observed | None:
        if self.counts is None or self.serves is None:
            return None
        return Observed(
            model=model,
            version=self.serves,
            rows=sum(self.counts.values()),
            predicted_labels=self.counts,
            length_histogram=self.lengths,
        )

    def remove(self, model: str) -> None: ...


@contextmanager
def answering(
    answer: Callable[[dict[str, Any]], object], headers: dict[str, str] | None = None
) -> Iterator[str]:
    """The address of a server on loopback that answers each record of ``/invocations``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                found = [answer(record) for record in body["dataframe_records"]]
                status, said = 200, json.dumps({"predictions": found}).encode()
            except KeyError as error:
                status, said = 400, f"no column {error}".encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
