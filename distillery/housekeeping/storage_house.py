"""The storage listed, and things taken out of it.

What is deleted is first moved aside, in one step: killed in between, nothing is half there, and
what was moved aside goes next time.
"""

import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from distillery import storage
from distillery.housekeeping.inventory import Stored, StoredKind
from distillery.object_store import ObjectStore

log = logging.getLogger(__name__)

_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_ARTIFACT = re.compile(r"artifacts/[a-z-]+/[0-9a-f]{24}(?![0-9a-f])")
_RUN = re.compile(r'"tracking_run_id\\*":\s*\\*"([0-9a-f]{32})')
# folders whose entries stand for themselves
_SHARED_WORK = ("decoded", "datasets")
_KINDS: dict[str, StoredKind] = {
    "results": "result",
    "artifacts": "artifact",
    "reports": "report",
}


def listed() -> tuple[Stored, ...]:
    """Everything but MLflow's own, here and where it is shared. Nothing where there is no storage
    yet."""
    return (*_listed(storage.root()), *_shared())


def mentions(text: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Digests, artifacts' paths and MLflow runs that stand in a noun's JSON."""
    return (
        tuple(sorted(set(_DIGEST.findall(text)))),
        tuple(sorted(set(_ARTIFACT.findall(text)))),
        tuple(sorted(set(_RUN.findall(text)))),
    )


def remove(path: str, used_at: float) -> bool:
    """Whether it is gone, from this machine or from where it is shared, which its address says. It
    stays where it has been used since. Repeatable."""
    store = storage.shared()
    if store is not None and ObjectStore.is_named_by(path):
        return store.remove(path, used_at)
    root = storage.root()
    place = root / path
    if not place.resolve().is_relative_to(root.resolve()) or place.resolve() == root.resolve():
        raise ValueError(f"{path} is not in the storage {root}")
    try:
        if _used_at(place) != used_at:
            return False
        (root / "work").mkdir(exist_ok=True)
        aside = place
        if not place.name.startswith("gone-"):
            aside = Path(tempfile.mkdtemp(dir=root / "work", prefix="gone-"))
            place.rename(aside / place.name)
        shutil.rmtree(aside, ignore_errors=True)
    except FileNotFoundError:
        return True
    return not place.exists()


def _listed(root: Path) -> Iterator[Stored]:
    for path in _entries(root / "results"):
        digests, artifacts, runs = mentions(_text(path))
        yield _stored("result", path, root, digests, artifacts, runs)
    for folder in _entries(root / "artifacts"):
        for path in _entries(folder):
            yield _stored("artifact", path, root)
    for path in _entries(root / "work"):
        for one in _entries(path) if path.name in _SHARED_WORK else (path,):
            yield _stored("work", one, root)
    for path in _entries(root / "reports"):
        yield _stored("report", path, root, *mentions(_text(path / "findings.json")))


def _shared() -> Iterator[Stored]:
    store = storage.shared()
    for one in store.listed() if store is not None else ():
        kind = _KINDS[one.path.split("/")[0]]
        text = ""
        if store is not None and kind != "artifact":
            text = store.text(one.path if kind == "result" else f"{one.path}/findings.json")
        digests, artifacts, runs = mentions(text)
        yield Stored(
            kind=kind,
            path=one.path,
            shared_uri=one.uri,
            used_at=one.used_at,
            size_bytes=one.size_bytes,
            digests=digests,
            artifacts=artifacts,
            runs=runs,
        )


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _stored(
    kind: str,
    path: Path,
    root: Path,
    digests: tuple[str, ...] = (),
    artifacts: tuple[str, ...] = (),
    runs: tuple[str, ...] = (),
) -> Stored:
    return Stored.model_validate(
        {
            "kind": kind,
            "path": path.relative_to(root).as_posix(),
            "used_at": _used_at(path),
            "size_bytes": size_of(path),
            "digests": digests,
            "artifacts": artifacts,
            "runs": runs,
        }
    )


def _used_at(path: Path) -> float:
    """Of the newest thing in it: a step writes to files deep in its folder."""
    times = [path.stat().st_mtime]
    for inside in path.rglob("*") if path.is_dir() else ():
        try:
            times.append(inside.stat().st_mtime)
        except FileNotFoundError:
            continue  # gone while it was looked at
    return max(times)


def size_of(path: Path) -> int:
    """Of all files in it; 0 for what is not there."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for inside in path.rglob("*"):
        try:
            total += inside.stat().st_size if inside.is_file() else 0
        except FileNotFoundError:
            continue
    return total
