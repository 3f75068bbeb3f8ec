"""What the gateway serves, and the files by which a later process finds it again."""

import os
from pathlib import Path

from pydantic import Field

from distillery.noun import Noun


class Release(Noun):
    """One registered version, downloaded."""

    model: str
    version: str
    digest: str = Field(description="Of the candidate folder inside.")
    folder: str = Field(description="The MLflow model, absolute.")

    @property
    def candidate(self) -> Path:
        """The folder with the graph. Raises ``FileNotFoundError`` where there is not one."""
        inside = [path.parent for path in Path(self.folder).rglob("candidate.json")]
        if len(inside) != 1:
            raise FileNotFoundError(f"{self.folder} holds no candidate.json")
        return inside[0]


class Current(Noun):
    """``current.json``: what answers, and what a gateway that starts again goes on with."""

    release: Release
    since: str = Field(description="ISO 8601, UTC.")


class Running(Noun):
    """``gateway-PORT.json``: a gateway that listens."""

    process: str = Field(description="See ``provenance.this_process``.")
    port: int
    control: str = Field(description="Path of its control socket.")


def write(path: Path, noun: Noun) -> None:
    """Atomic: a reader sees the old content or the new."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(noun.model_dump_json(), encoding="utf-8")
    aside.replace(path)


def current(folder: Path) -> Current | None:
    """What stands in the state folder."""
    try:
        text = (folder / "current.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return Current.model_validate_json(text)


def write_current(folder: Path, now: Current) -> None:
    """It is this from now on."""
    write(folder / "current.json", now)


def running_path(folder: Path, port: int) -> Path:
    """Where a gateway on this port says that it is there."""
    return folder / f"gateway-{port}.json"
