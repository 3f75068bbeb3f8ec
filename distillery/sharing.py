"""What machines share through an object store: artifacts, the results of steps, reports.

    artifacts/<kind>/<digest>/…    the files
    artifacts/<kind>/<digest>.json the marker, written last: without it there is no artifact
    results/<step key>             written after every artifact that it names
    reports/<flow run>/…

A folder on this machine stands in front of it (``storage``): what is there is read there.
"""

import json
import logging
from pathlib import Path

from distillery import digests
from distillery.nouns import Artifact
from distillery.object_store import ObjectStore

log = logging.getLogger(__name__)


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
        if self.holds(artifact):
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
        if not self._store.holds(f"results/{key}"):
            self._store.write(f"results/{key}", data)

    def drop_result(self, key: str) -> None:
        """The step will run again."""
        self._store.remove(f"results/{key}")

    def offer_report(self, folder: Path) -> str:
        """Every file of a report's folder. Returns its address."""
        key = f"reports/{folder.name}"
        for name in _files(folder):
            self._store.upload(folder / name, f"{key}/{name}")
        return self._store.uri(key)


def _marker(artifact: Artifact) -> str:
    return f"{artifact.uri}.json"


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
