"""A run's folder in the bucket: what is sent to an instance, and what it brings back."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from distillery import digests
from distillery.aws.bundle import OUTCOME, Part
from distillery.aws.session import Session, clear_errors, code_of
from distillery.errors import NoMeasurementError
from distillery.measurements import Instance, Outcome
from distillery.noun import Noun

log = logging.getLogger(__name__)

_GONE = {"404", "NoSuchKey", "NotFound"}
_BUNDLES = "bundles"
DONE, HEARTBEAT, LOG = "done.json", "heartbeat.json", "log.txt"
_INSTANCE = "instance.json"


class Inbox(Noun):
    """One run's prefix. Equal work has the same one, whoever starts it."""

    bucket: str
    run: str

    @property
    def uri(self) -> str:
        """For people, and to find it again."""
        return f"s3://{self.bucket}/{self._key('')}"

    def _key(self, name: str) -> str:
        return f"runs/{self.run}/{name}"

    def send(self, session: Session, parts: Sequence[Part]) -> None:
        """Each once: it is found by its content."""
        s3 = session.client("s3")
        with clear_errors(f"nothing can be sent to s3://{self.bucket}"):
            for part in parts:
                if not _is_there(s3, self.bucket, _bundle_key(part), part.size_bytes):
                    log.info("sending %s, %s bytes", part.name, f"{part.size_bytes:,}")
                    s3.upload_file(str(part.path), self.bucket, _bundle_key(part))

    def get_url(self, session: Session, part: Part, seconds: int) -> str:
        """From where the instance fetches a part, and nothing else, for so long."""
        return _signed(session, "get_object", self.bucket, _bundle_key(part), seconds)

    def put_url(self, session: Session, name: str, seconds: int) -> str:
        """Where the instance may put this one file."""
        return _signed(session, "put_object", self.bucket, self._key(name), seconds)

    def remember(self, session: Session, instance: Instance) -> None:
        """Which instance works on it, for whoever goes on if this process is killed."""
        with clear_errors(f"nothing can be written to {self.uri}"):
            session.client("s3").put_object(
                Bucket=self.bucket,
                Key=self._key(_INSTANCE),
                Body=instance.model_dump_json().encode(),
            )

    def remembered(self, session: Session) -> Instance | None:
        """None where none was started yet."""
        told = self._read(session, _INSTANCE)
        return Instance.model_validate_json(told) if told else None

    def is_done(self, session: Session) -> bool:
        """Whether the instance has put all that it had to."""
        with clear_errors(f"{self.uri} cannot be read"):
            return _is_there(session.client("s3"), self.bucket, self._key(DONE), None)

    def doing(self, session: Session) -> str:
        """The last that the instance said of itself."""
        try:
            return str(json.loads(self._read(session, HEARTBEAT) or b"{}").get("doing", ""))
        except ValueError:
            return ""

    def log_end(self, session: Session, lines: int) -> str:
        """The last lines of its log, in one."""
        text = (self._read(session, LOG) or b"").decode(errors="replace")
        return " | ".join(text.split("\n")[-lines:]).strip(" |")

    def outcome(self, session: Session, instance: Instance) -> Outcome:
        """What it brought back, verified.

        Raises ``NoMeasurementError`` where it failed, or where this is not what it sent.
        """
        done = json.loads(self._read(session, DONE) or b"{}")
        if done.get("error"):
            raise NoMeasurementError(f"{instance.instance_id} failed: {done['error']}")
        data, told = self._read(session, OUTCOME) or b"", done.get("files", {}).get(OUTCOME, {})
        size_bytes, sha256 = len(data), digests.of_bytes(data)
        if told != {"size_bytes": size_bytes, "sha256": sha256}:
            raise NoMeasurementError(
                f"what came back from {instance.instance_id} is not what it sent: {OUTCOME} has "
                f"{size_bytes:,} bytes and SHA-256 {sha256[:12]}, it sent "
                f"{told.get('size_bytes', 0):,} and {str(told.get('sha256', ''))[:12]}; run again"
            )
        found_outcome = Outcome.model_validate_json(data)
        return found_outcome.model_copy(
            update={
                "run": self.uri,
                "measurements": tuple(
                    one.model_copy(update={"instance": instance})
                    for one in found_outcome.measurements
                ),
            }
        )

    def clear(self, session: Session) -> None:
        """Nothing of the run is left. What was sent goes by the bucket's lifecycle."""
        s3 = session.client("s3")
        with clear_errors(f"{self.uri} cannot be cleared"):
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._key("")
            )
            for page in pages:
                for one in page.get("Contents", ()):
                    s3.delete_object(Bucket=self.bucket, Key=one["Key"])

    def _read(self, session: Session, name: str) -> bytes | None:
        """None where there is no such file."""
        with clear_errors(f"{self.uri} cannot be read"):
            try:
                answer = session.client("s3").get_object(Bucket=self.bucket, Key=self._key(name))
                content: bytes = answer["Body"].read()
                return content
            except ClientError as error:
                if code_of(error) not in _GONE:
                    raise
                return None


def at(uri: str) -> Inbox:
    """The inbox of a URI that an outcome holds."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return Inbox(bucket=bucket, run=key.removeprefix("runs/").rstrip("/"))


def _bundle_key(part: Part) -> str:
    return f"{_BUNDLES}/{part.sha256}/{part.name}"


def _is_there(s3: Any, bucket: str, key: str, size_bytes: int | None) -> bool:
    try:
        found = s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if code_of(error) not in _GONE:
            raise
        return False
    return size_bytes is None or found["ContentLength"] == size_bytes


def _signed(session: Session, operation: str, bucket: str, key: str, seconds: int) -> str:
    url: str = session.client("s3").generate_presigned_url(
        operation, Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds
    )
    return url
