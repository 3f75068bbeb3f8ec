"""What machines share through an object store: artifacts, the results of steps, reports.

    artifacts/<kind>/<digest>/…    the files
    artifacts/<kind>/<digest>.json the marker, written last: without it there is no artifact
    results/<step key>             written after every artifact that it names
    reports/<flow run>/…

A folder on this machine stands in front of it (``storage``): what is there is read there.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from distillery import digests
from distillery.nouns import Artifact
from distillery.object_store import ObjectStore, StoredObject

log = logging.getLogger(__name__)


class SharedThing(NamedTuple):
    """An artifact, a result or a report, as a listing tells of it."""

    path: str
    uri: str
    used_at: float  # seconds since 1970
    size_bytes: int


class Shared:
    """The same for every machine that names the same store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def reach(self) -> None:
        """Raises ``UserError`` within seconds where the store cannot be used."""
        self._store.reach()

    def uri(self, artifact: Artifact) -> str:
        """Where the artifact lies for everyone."""
        return self._store.uri(artifact.uri)

    def holds(self, artifact: Artifact) -> bool:
        """Whether it was uploaded whole."""
        return self._store.holds(_marker(artifact))

    def offer(self, artifact: Artifact, folder: Path) -> None:
        """Upload it, unless it is there. Killed in between, there is none yet."""
        if self._renewed(_marker(artifact)):
            return
        names = _files(folder)
        for name in names:
            self._store.upload(folder / name, f"{artifact.uri}/{name}")
        marker = {"digest": artifact.digest, "size_bytes": artifact.size_bytes, "files": names}
        self._store.write(_marker(artifact), json.dumps(marker).encode())

    def fetch(self, artifact: Artifact, folder: Path) -> bool:
        """Into an empty folder; whether its content is what the digest says.

        Where it is not, the marker goes, so that the artifact is made and uploaded again.
        """
        text = self._store.read(_marker(artifact))
        if text is None:
            return False
        try:
            for name in json.loads(text)["files"]:
                place = folder / name
                if not place.resolve().is_relative_to(folder.resolve()):
                    raise ValueError(f"{name} leads out of the artifact")
                place.parent.mkdir(parents=True, exist_ok=True)
                self._store.download(f"{artifact.uri}/{name}", place)
            if digests.of_folder(folder) == artifact.digest:
                return True
        except (FileNotFoundError, ValueError, KeyError) as error:
            log.warning("%s: %s", self.uri(artifact), error)
        log.warning("%s is damaged; it will be made again", self.uri(artifact))
        self._store.remove(_marker(artifact))
        return False

    def result(self, key: str) -> bytes | None:
        """What a step of this key came to, on whichever machine."""
        return self._store.read(f"results/{key}")

    def offer_result(self, key: str, data: bytes) -> None:
        """The last thing of a step to be shared."""
        if not self.renew_result(key):
            self._store.write(f"results/{key}", data)

    def renew_result(self, key: str) -> bool:
        """Used now, for whoever keeps house; whether it is there."""
        return self._renewed(f"results/{key}")

    def drop_result(self, key: str) -> None:
        """The step will run again."""
        self._store.remove(f"results/{key}")

    def offer_report(self, folder: Path) -> str:
        """Every file of a report's folder. Returns its address."""
        key = f"reports/{folder.name}"
        for name in _files(folder):
            self._store.upload(folder / name, f"{key}/{name}")
        return self._store.uri(key)

    def listed(self) -> Iterator[SharedThing]:
        """Every artifact, whole or not, every result and report."""
        found: dict[str, list[StoredObject]] = {}
        for under in ("results/", "artifacts/", "reports/"):
            for one in self._store.listed(under):
                found.setdefault(_thing(one.key), []).append(one)
        for path, objects in found.items():
            yield SharedThing(
                path=path,
                uri=self._store.uri(path),
                used_at=max(one.changed_at for one in objects),
                size_bytes=sum(one.size_bytes for one in objects),
            )

    def text(self, key: str) -> str:
        """Of a small object; empty where there is none."""
        return (self._store.read(key) or b"").decode(errors="replace")

    def remove(self, uri: str, used_at: float) -> bool:
        """Whether it is gone. It stays where it has been used since. Killed halfway, an artifact is
        none any more, and what is left of it is listed.
        """
        path = self._store.key(uri)
        objects = [one for one in self._store.listed(path) if _thing(one.key) == path]
        if objects and max(one.changed_at for one in objects) != used_at:
            return False
        # the marker of an artifact first
        for one in sorted(objects, key=lambda one: one.key != f"{path}.json"):
            self._store.remove(one.key)
        return True

    def _renewed(self, key: str) -> bool:
        data = self._store.read(key)
        if data is not None:
            self._store.write(key, data)
        return data is not None


def _thing(key: str) -> str:
    """The artifact, result or report that an object is of."""
    kind, *names = key.split("/")
    if kind == "artifacts":
        return "/".join([kind, *names[:2]]).removesuffix(".json")
    return "/".join([kind, *names[:1]])


def _marker(artifact: Artifact) -> str:
    return f"{artifact.uri}.json"


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
