"""The only door to S3: whole objects of one bucket, under one prefix.

Answers of 5xx, throttling and broken connections are asked again, longer each time, for about a
minute (``AWS_MAX_ATTEMPTS`` says how often); what a user can mend comes back as a ``UserError``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distillery.errors import UserError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_SCHEME = "s3://"
# botocore waits up to 1, 2, 4, 8, 16, then 20 s before each
_ATTEMPTS, _ATTEMPTS_TO_REACH = 10, 3
_CONNECT_SECONDS, _READ_SECONDS = 5, 60


class StoredObject(NamedTuple):
    """As a listing tells of it."""

    key: str
    size_bytes: int
    changed_at: float  # seconds since 1970


class ObjectStore:
    """``s3://bucket/prefix``. Nothing is asked until it is used."""

    def __init__(self, uri: str) -> None:
        bucket, _, prefix = uri.removeprefix(_SCHEME).partition("/")
        if not bucket:
            raise UserError(f"DISTILLERY_STORAGE={uri} names no bucket; give s3://BUCKET/PREFIX")
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._made: Any = None

    @staticmethod
    def is_named_by(text: str) -> bool:
        """Whether it is an ``s3://`` address."""
        return text.startswith(_SCHEME)

    def uri(self, key: str) -> str:
        """The full address of an object."""
        return f"{_SCHEME}{self._bucket}/{self._prefix}{key}"

    def key(self, uri: str) -> str:
        """Of such an address. Raises ``ValueError`` where it is of another store."""
        here = self.uri("")
        if not uri.startswith(here) or uri == here:
            raise ValueError(f"{uri} is not in the store {here}")
        return uri.removeprefix(here)

    def reach(self) -> None:
        """Raises ``UserError`` within seconds where the bucket cannot be used."""
        client = _client(_ATTEMPTS_TO_REACH)
        with self._explained():
            client.head_bucket(Bucket=self._bucket)

    def holds(self, key: str) -> bool:
        """Whether there is such an object."""
        with self._explained():
            try:
                self._client.head_object(**self._at(key))
            except self._client.exceptions.ClientError as error:
                if _is_missing(error):
                    return False
                raise
        return True

    def read(self, key: str) -> bytes | None:
        """A small object, or None."""
        with self._explained():
            try:
                answer = self._client.get_object(**self._at(key))
                return bytes(answer["Body"].read())
            except self._client.exceptions.ClientError as error:
                if _is_missing(error):
                    return None
                raise

    def write(self, key: str, data: bytes) -> None:
        """A small object, whole or not at all."""
        with self._explained():
            self._client.put_object(**self._at(key), Body=data)

    def upload(self, path: Path, key: str) -> None:
        """A file, in parts where it is large; whole or not at all."""
        with self._explained():
            self._client.upload_file(str(path), self._bucket, self._prefix + key)

    def download(self, key: str, path: Path) -> None:
        """Into a file. Raises ``FileNotFoundError`` where there is no such object."""
        with self._explained():
            try:
                self._client.download_file(self._bucket, self._prefix + key, str(path))
            except self._client.exceptions.ClientError as error:
                if _is_missing(error):
                    raise FileNotFoundError(self.uri(key)) from error
                raise

    def remove(self, key: str) -> None:
        """Repeatable."""
        with self._explained():
            self._client.delete_object(**self._at(key))

    def listed(self, under: str) -> Iterator[StoredObject]:
        """Every object whose key begins so."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._explained():
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + under):
                for found in page.get("Contents", ()):
                    yield StoredObject(
                        key=found["Key"].removeprefix(self._prefix),
                        size_bytes=found["Size"],
                        changed_at=found["LastModified"].timestamp(),
                    )

    @property
    def _client(self) -> Any:
        if self._made is None:
            self._made = _client(_ATTEMPTS)
        return self._made

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            EndpointConnectionError,
            NoCredentialsError,
            PartialCredentialsError,
        )

        where = f"{_SCHEME}{self._bucket}"
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise UserError(
                f"there are no AWS credentials for {where}; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            ) from error
        except EndpointConnectionError as error:
            endpoint = os.environ.get("AWS_ENDPOINT_URL") or "AWS"
            raise UserError(
                f"the store of {where} does not answer at {endpoint}; start it, or set "
                "AWS_ENDPOINT_URL, or DISTILLERY_STORAGE to a folder"
            ) from error
        except ClientError as error:
            raise UserError(self._mend(error)) from error
        except S3UploadFailedError as error:
            raise UserError(f"cannot write to {where}: {_line(error)}; run again") from error
        except BotoCoreError as error:
            raise UserError(f"cannot reach {where}: {_line(error)}; run again") from error

    def _mend(self, error: "ClientError") -> str:
        code = str(error.response.get("Error", {}).get("Code", ""))
        where = f"{_SCHEME}{self._bucket}"
        if code in ("404", "NoSuchBucket"):
            return (
                f"there is no bucket '{self._bucket}'; make it, or name another one in "
                "DISTILLERY_STORAGE"
            )
        if code in ("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
            return (
                f"these AWS credentials may not use {where} ({code}); they need s3:ListBucket, "
                "s3:GetObject, s3:PutObject and s3:DeleteObject there"
            )
        return f"the store of {where} answers {_line(error)}; run again when it is well"


def _client(attempts: int) -> Any:
    import boto3
    from botocore.config import Config

    # a session of its own: boto3's default one remembers the keys of whoever came first
    return boto3.session.Session().client(
        "s3",
        config=Config(
            retries={
                "mode": "standard",
                "max_attempts": int(os.environ.get("AWS_MAX_ATTEMPTS", attempts)),
            },
            # AWS's own store goes by the bucket's name; others may have one name only
            s3={"addressing_style": "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
        ),
    )


def _is_missing(error: "ClientError") -> bool:
    """Of a HEAD, S3 says no more than 404."""
    return str(error.response.get("Error", {}).get("Code")) in ("404", "NoSuchKey")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
