"""Content digests: the identity of everything that moves between steps."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

_CHUNK_BYTES = 1 << 20


def of_bytes(data: bytes) -> str:
    """SHA-256 of ``data``, in hex."""
    return hashlib.sha256(data).hexdigest()


def of_json(value: object) -> str:
    """SHA-256 of ``value`` as canonical JSON (sorted keys, no white space)."""
    return of_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def of_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def of_folder(folder: Path) -> str:
    """SHA-256 over the sorted (relative path, content digest) pairs of a folder's files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return of_json([[path.relative_to(folder).as_posix(), of_file(path)] for path in files])


def of_texts(texts: Iterable[str]) -> bytes:
    """A 16-byte key for one row's texts."""
    return of_parts(text.encode() for text in texts)


def of_parts(parts: Iterable[bytes]) -> bytes:
    """A 16-byte key; an unambiguous join, so that ("a", "b") ≠ ("ab",)."""
    digest = hashlib.blake2b(digest_size=16)
    for data in parts:
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()
