"""A version as one object in S3: ``model/``, the registered MLflow model, and ``smoke.json``."""

import gzip
import tarfile
from pathlib import Path
from typing import Any

from distillery import digests, storage
from distillery.deployment import aws, releases, smoke
from distillery.deployment.asking import Question, Questions
from distillery.noun import Noun
from distillery.nouns import RegisteredVersion


class Packed(Noun):
    """Where it is, and what whoever fetches it must find there."""

    uri: str
    sha256: str
    questions: tuple[Question, ...]


def upload(version: RegisteredVersion, s3: Any, folder_uri: str) -> Packed:
    """Put once: equal content is there already.

    Raises ``DeploymentError``, ``UserError`` and ``AwsError``.
    """
    bucket, _, prefix = folder_uri.removeprefix("s3://").partition("/")
    name = f"{version.version}-{version.candidate_digest[:12]}.tar.gz"
    parts = (prefix.strip("/"), aws.name_of(version.model, 60), name)
    key = "/".join(part for part in parts if part)
    with storage.new_folder() as folder:
        release = releases.fetch(version, folder)
        questions = smoke.questions(version, release.candidate)
        packed = folder / name
        pack(Path(release.folder), questions, packed)
        sha256 = digests.of_file(packed)
        _put(s3, bucket, key, packed, sha256)
    return Packed(uri=f"s3://{bucket}/{key}", sha256=sha256, questions=questions)


def pack(model: Path, questions: tuple[Question, ...], path: Path) -> None:
    """Equal content gives equal bytes."""
    asked = path.with_suffix(".json")
    asked.write_bytes(Questions.dump_json(questions))
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        archive.add(asked, "smoke.json", filter=_plain)
        for one in sorted(one for one in model.rglob("*") if one.is_file()):
            inside = Path("model") / one.relative_to(model)
            archive.add(one, inside.as_posix(), filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o644
    return member


def _put(s3: Any, bucket: str, key: str, path: Path, sha256: str) -> None:
    try:
        with aws.told(f"looking for s3://{bucket}/{key}"):
            found = s3.head_object(Bucket=bucket, Key=key)
        if found.get("Metadata", {}).get("sha256") == sha256:
            return
    except aws.AwsError as error:
        if error.code not in ("404", "NoSuchKey", "NotFound"):
            raise
    with aws.told(f"writing s3://{bucket}/{key}"), path.open("rb") as body:
        s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"sha256": sha256})
