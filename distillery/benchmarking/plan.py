"""What is to be measured, as the quiet process reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, Field, model_validator

from distillery.measurements import Scenario
from distillery.noun import Noun
from distillery.runtimes import images
from distillery.runtimes.base import Device, Example, Text


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A candidate to measure: a local folder, the runtime that opens it, and on what."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    digest: str
    folder: Path
    runtime: str
    device: Device = "cpu"
    threads: int | None = None
    """Its own, in place of the plan's; 0 means one a physical core."""
    instances: int = 1
    """Processes of one engine each, asked at the same time."""


class Plan(Noun):
    """All that one benchmark needs, as the quiet process reads it."""

    entries: tuple[Entry, ...] = Field(min_length=1)
    texts: tuple[Text, ...] = ()
    images: Path | None = Field(default=None, description="A .npy file, instead of texts.")
    scenario: Scenario
    threads: int = Field(ge=0, description="0 means one a physical core.")
    target: str

    @property
    def examples(self) -> Sequence[Example]:
        """Whichever it names."""
        return self.texts if self.images is None else images.read(self.images)

    @model_validator(mode="after")
    def _has_examples(self) -> "Plan":
        if bool(self.texts) == (self.images is not None):
            raise ValueError("give texts or a file of images, one of the two")
        return self
