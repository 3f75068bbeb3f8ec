"""The only door to artifacts: folders, found by the digest of their content.

Everything of a project lies under one root (``DISTILLERY_STORAGE``, default ``.distillery``).
Where that is ``s3://bucket/prefix``, artifacts, results and reports are shared there (``sharing``),
and the root is a folder in front of it (``DISTILLERY_CACHE``, default ``.distillery``):

    artifacts/<kind>/<digest>/   what the steps made
    results/                     the steps' nouns, kept by Prefect
    work/<step key>/             unfinished trainings, resumed after a crash
    screenings/                  what a search need not measure twice
    mlflow.db  mlartifacts/      the tracking store, unless MLFLOW_TRACKING_URI says otherwise
    reports/<flow run>/          one page a run
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from distillery import digests
from distillery.errors import DamagedArtifactError, UserError
from distillery.nouns import Artifact
from distillery.object_store import ObjectStore
from distillery.sharing import Shared

log = logging.getLogger(__name__)

_DEFAULT = ".distillery"
_DIGEST_LENGTH = 24

_TICK_NS = 2_000_000_000

_Stamps = frozenset[tuple[str, int, int]]  # path, size, time of the last change in ns
_verified: dict[tuple[Path, str], _Stamps] = {}


def root() -> Path:
    """The storage root on this machine, absolute. Nothing is made yet."""
    named = os.environ.get("DISTILLERY_STORAGE", _DEFAULT)
    if ObjectStore.is_named_by(named):
        named = os.environ.get("DISTILLERY_CACHE", _DEFAULT)
    return Path(named).expanduser().absolute()


def shared() -> Shared | None:
    """What is shared with other machines; None where the storage is a folder.

    Raises ``UserError`` where the address names no bucket.
    """
    named = os.environ.get("DISTILLERY_STORAGE", _DEFAULT)
    return _shared(named) if ObjectStore.is_named_by(named) else None


@cache
def _shared(uri: str) -> Shared:
    return Shared(ObjectStore(uri))


def ready() -> Path:
    """The storage root, made where it is missing.

    Raises ``UserError`` where it, or what is shared, cannot be used.
    """
    folder = root()
    make_writable(
        folder, "to the storage folder", f"set {_names_the_root()} to a folder you may write"
    )
    store = shared()
    if store is not None:
        store.reach()
    return folder


def _names_the_root() -> str:
    return "DISTILLERY_STORAGE" if shared() is None else "DISTILLERY_CACHE"


def make_writable(folder: Path, what: str, mend: str) -> None:
    """Make the folder. Raises ``UserError`` where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write {what} {folder}: {error.strerror}; {mend}") from error


def work(key: str) -> Path:
    """A folder for what one unfinished step may resume from."""
    folder = root() / "work" / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def new_folder() -> Iterator[Path]:
    """A folder to fill, on the storage's own disk, gone afterwards unless ``put`` took it."""
    parent = root() / "work"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix="new-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(folder: Path, kind: str) -> Artifact:
    """Move a finished folder in; equal content is kept once. Atomic: a rename on one disk.

    Shared before it returns, where there is something shared.
    """
    digest = digests.of_folder(folder)
    size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    artifact = Artifact(
        uri=f"artifacts/{kind}/{digest[:_DIGEST_LENGTH]}", digest=digest, size_bytes=size_bytes
    )
    if _is_here(artifact):
        os.utime(root() / artifact.uri)  # used: whoever keeps house goes by it
    else:
        _move_in(folder, artifact)
    share(artifact)
    return artifact


def share(artifact: Artifact) -> None:
    """Offer to other machines what this one has; nothing where nothing is shared."""
    store = shared()
    if store is not None and _is_here(artifact):
        store.offer(artifact, root() / artifact.uri)


def _move_in(folder: Path, artifact: Artifact) -> None:
    place = root() / artifact.uri
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        # aside, not away: another run may have made it whole since it was looked at
        log.warning("replacing the damaged artifact %s", artifact.uri)
        (root() / "work").mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=root() / "work", prefix="damaged-"))
        place.rename(aside / "artifact")
        shutil.rmtree(aside)
    folder.chmod(0o755)
    try:
        folder.rename(place)
    except OSError:
        if not _is_here(artifact):  # not merely another run that was quicker
            raise


def is_intact(artifact: Artifact) -> bool:
    """Whether the content is here and hashes to its digest, or was shared whole."""
    if _is_here(artifact):
        return True
    store = shared()
    return store is not None and store.holds(artifact)


def _is_here(artifact: Artifact) -> bool:
    """On this machine. A process hashes it once, and again only where a file's size or time has
    changed: a corpus may be larger than memory, and is read by every step.
    """
    place = root() / artifact.uri
    if not place.is_dir():
        return False
    files = _stamps(place)
    if _verified.get((place, artifact.digest)) == files:
        return True
    if digests.of_folder(place) != artifact.digest:
        return False
    # a file changed a moment ago could change again within one tick of the disk's clock
    if max((changed for _, _, changed in files), default=0) < time.time_ns() - _TICK_NS:
        _verified[place, artifact.digest] = files
    return True


def fetch(artifact: Artifact) -> Path:
    """The local folder of an artifact, verified.

    Raises ``DamagedArtifactError`` where its content is not what the digest says.
    """
    if not _is_here(artifact) and not _fetched(artifact):
        raise DamagedArtifactError(
            f"the artifact {root() / artifact.uri} is damaged or missing; run again to make it anew"
        )
    return root() / artifact.uri


def kept(kind: str, key: str) -> bytes | None:
    """What ``keep`` was last given under this key, or None."""
    try:
        return (root() / kind / key).read_bytes()
    except FileNotFoundError:
        return None


def keep(kind: str, key: str, data: bytes) -> None:
    """A small record under a key. Whoever reads it sees all of it, or what was there before."""
    place = root() / kind / key
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".", delete=False) as file:
        file.write(data)
    os.replace(file.name, place)


def _fetched(artifact: Artifact) -> bool:
    store = shared()
    if store is None:
        return False
    with new_folder() as folder:
        if not store.fetch(artifact, folder):
            return False
        _move_in(folder, artifact)
    return True


def address(artifact: Artifact) -> str:
    """Where an artifact lies, for those who look for it: shared, or on this machine."""
    store = shared()
    return str(root() / artifact.uri) if store is None else store.uri(artifact)


def results() -> Path:
    """The folder of the steps' results on this machine."""
    return root() / "results"


def result(key: str) -> Path | None:
    """A step's result, another machine's where this one has none; None where nobody has."""
    place = results() / key
    if place.exists():
        return place
    store = shared()
    data = store.result(key) if store is not None else None
    if data is None:
        return None
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as aside:
        aside.write(data)
    Path(aside.name).replace(place)
    return place


def share_result(key: str) -> None:
    """The last thing of a step, after each artifact that it names."""
    store, place = shared(), results() / key
    if store is not None and place.exists():
        store.offer_result(key, place.read_bytes())


def renew_result(key: str) -> None:
    """It was used, here and where it is shared: whoever keeps house goes by it."""
    (results() / key).touch()
    store = shared()
    if store is not None:
        store.renew_result(key)


def drop_result(key: str) -> None:
    """Here and where it was shared: the step will run again."""
    (results() / key).unlink(missing_ok=True)
    store = shared()
    if store is not None:
        store.drop_result(key)


def share_report(folder: Path) -> str:
    """Its address: where it is shared, or on this machine."""
    store = shared()
    return folder.absolute().as_uri() if store is None else store.offer_report(folder)


def _stamps(folder: Path) -> _Stamps:
    found = ((path, path.stat()) for path in folder.rglob("*"))
    return frozenset((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found)
