"""moto's S3, whose objects outlive it: each is a file, and read again at the next start.

moto keeps everything in memory. Here an object is on the disk before its request is answered; the
other services that moto imitates forget what they held, as they always do.
Run as ``python -m infra.stack.store FOLDER PORT [HOST]``.
"""

import hashlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import run_simple

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_REGION = "us-east-1"


class KeptObjects:
    """The buckets of moto's S3, beside them the same as files: ``<bucket>/<hash of the key>``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._store: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]

    def load(self) -> None:
        """Everything that was kept, into moto."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for bucket in sorted(path for path in self._folder.iterdir() if path.is_dir()):
            self._store.create_bucket(bucket.name, _REGION)
            for path in bucket.iterdir():
                if path.suffix == ".object":
                    head, _, value = path.read_bytes().partition(b"\n")
                    self._store.put_object(bucket.name, json.loads(head)["key"], value)
                else:
                    path.unlink()  # a write that was killed

    def follow(self, bucket: str, key: str | None) -> None:
        """Files as moto has it now: one object, or a whole bucket where ``key`` is None."""
        with self._lock:
            folder = self._folder / bucket
            if bucket not in self._store.buckets:
                shutil.rmtree(folder, ignore_errors=True)
                return
            folder.mkdir(exist_ok=True)
            objects = self._store.buckets[bucket].keys
            if key is not None:
                self._write(folder, key, objects.get(key))
                return
            kept = {_name(one) for one in objects}
            for path in folder.glob("*.object"):
                if path.name not in kept:
                    path.unlink()

    def _write(self, folder: Path, key: str, found: Any) -> None:
        place = folder / _name(key)
        # a delete marker, in a bucket with versions, has no value
        if found is None or not hasattr(found, "value"):
            place.unlink(missing_ok=True)
            return
        aside = place.with_suffix(".part")
        with aside.open("wb") as stream:
            stream.write(json.dumps({"key": key}).encode() + b"\n")
            stream.write(found.value)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(place)


class Keeping:
    """moto's application; what changed an object is kept before it is answered."""

    def __init__(self, inner: "WSGIApplication", kept: KeptObjects) -> None:
        self._inner = inner
        self._kept = kept

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        answer = self._inner(environ, start_response)
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return answer
        body = list(answer)
        if "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", ""):
            # WSGI hands paths on as latin-1
            path = environ["PATH_INFO"].encode("latin-1").decode()
            bucket, _, key = path.lstrip("/").partition("/")
            parts = "uploadId" in parse_qs(environ.get("QUERY_STRING", ""))
            # of an upload in parts, the request that ends it makes the object
            if bucket and not (parts and environ["REQUEST_METHOD"] != "POST"):
                self._kept.follow(bucket, key or None)
        return body


def _name(key: str) -> str:
    return f"{hashlib.sha256(key.encode()).hexdigest()}.object"


def main(folder: str, port: str, host: str = "127.0.0.1") -> None:
    """Serve until ended. Nobody is asked who they are: ``host`` is loopback, or a network of one's
    own, such as compose makes.
    """
    # else moto takes a server's name, where it is not an address, for a bucket's
    os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"
    kept = KeptObjects(Path(folder))
    kept.load()
    app = Keeping(DomainDispatcherApplication(create_backend_app), kept)
    run_simple(host, int(port), app, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main(*sys.argv[1:])
