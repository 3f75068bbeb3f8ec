"""All augmentations of a recipe over the training rows: made, kept, cleaned."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from distillery import digests
from distillery.augmentation.base import Augmentation, Make
from distillery.data import corpora
from distillery.data.examples import Example, key, same, schema_like
from distillery.data.lazy import Chosen, Joined, Lazy
from distillery.noun import Noun
from distillery.teachers.base import LoadedModel

if TYPE_CHECKING:
    import pyarrow

log = logging.getLogger(__name__)


class Made(Noun):
    """What one augmentation brought."""

    kind: str
    made: int
    leaks_dropped: int = Field(description="Equal to a validation or test row.")
    duplicates_dropped: int = Field(description="Equal to a training row or an earlier new one.")
    kept: int

    @property
    def told(self) -> str:
        """For people, in a line."""
        return (
            f"{self.kept:,} of {self.kind} (dropped {self.duplicates_dropped:,} duplicates and "
            f"{self.leaks_dropped:,} equal to held-out rows)"
        )


@dataclass(frozen=True, kw_only=True)
class Augmented:
    """New rows, the originals not among them, and how they came about.

    The rows lie in the work folder, and are read from there.
    """

    texts: Sequence[Example]
    made: tuple[Made, ...]  # one an augmentation, in order


def augment(
    augmentations: Sequence[Augmentation],
    texts: Sequence[Example],
    held_out: Sequence[Example],
    *,
    teacher: LoadedModel,
    seed: int,
    work: Path,
) -> Augmented:
    """New rows; none equals another, a training row or a held-out one.

    Of texts, case and spaces aside; images are equal pixel by pixel.

    Finished shards are kept under ``work`` and used again: after a kill the result is the same as
    without one. ``work`` must belong to this teacher and to the content of the files and models
    that the augmentations name, which are known here by name only.

    In memory are a digest of 16 bytes a row, to find equal ones by, and the positions of the kept.
    """
    leaks = {same(text) for text in held_out}
    seen = {same(text) for text in texts}
    texts_digest = digests.of_parts(map(key, texts)).hex()
    kept: list[Sequence[Example]] = []
    made = []
    for augmentation in augmentations:
        name = type(augmentation).__name__
        settings = digests.of_json([name, augmentation.identity, seed, texts_digest])
        counts = dict.fromkeys(("made", "leaks_dropped", "duplicates_dropped", "kept"), 0)
        for shard in _shards(augmentation, texts, teacher, seed, work / f"{name}-{settings[:24]}"):
            chosen = []
            for position, text in enumerate(shard):
                folded = same(text)
                counts["made"] += 1
                if folded in leaks:
                    counts["leaks_dropped"] += 1
                elif folded in seen:
                    counts["duplicates_dropped"] += 1
                else:
                    seen.add(folded)
                    chosen.append(position)
                    counts["kept"] += 1
            kept.append(Chosen(shard, np.array(chosen, dtype=np.int64)))
        made.append(Made(kind=str(augmentation.model_dump()["kind"]), **counts))
        log.info("%d rows made, kept %s", counts["made"], made[-1].told)
    return Augmented(texts=Joined(*kept), made=tuple(made))


def _shards(
    augmentation: Augmentation,
    texts: Sequence[Example],
    teacher: LoadedModel,
    seed: int,
    folder: Path,
) -> Iterator[Lazy[Example]]:
    """One after the other; models are loaded only where a shard is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    make: Make | None = None
    count = augmentation.shards(len(texts))
    for shard in range(count):
        path = _finished(folder, shard)
        if path is None:
            make = make or augmentation.opened(texts, teacher=teacher, seed=seed)
            path = _write(folder, shard, make(shard), schema_like(texts[0]))
            log.info("%s: shard %d of %d", type(augmentation).__name__, shard + 1, count)
        yield corpora.opened(path)


def _write(folder: Path, shard: int, texts: Iterable[Example], schema: "pyarrow.Schema") -> Path:
    """Whole or not at all: written aside, then renamed; its name holds its digest."""
    aside = folder / f"{shard:06d}.{os.getpid()}"
    corpora.write(aside, texts, schema)
    with aside.open("rb") as stream:
        os.fsync(stream.fileno())
    path = folder / f"{shard:06d}.{digests.of_file(aside)}.arrow"
    aside.replace(path)
    return path


def _finished(folder: Path, shard: int) -> Path | None:
    """A finished shard; None where it is missing or damaged."""
    for path in folder.glob(f"{shard:06d}.*.arrow"):
        if digests.of_file(path) == path.name.split(".")[1]:
            return path
        log.warning("making the damaged shard %s anew", path)
        path.unlink()
    return None
