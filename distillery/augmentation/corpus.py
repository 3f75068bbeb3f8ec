"""All augmentations of a recipe over the training texts: made, kept, cleaned."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from distillery import digests
from distillery.augmentation.base import Augmentation, Make
from distillery.data import corpora
from distillery.data.corpora import Texts
from distillery.data.lazy import Chosen, Joined
from distillery.data.preparation import Text, normalized
from distillery.noun import Noun
from distillery.teachers.base import LoadedModel

log = logging.getLogger(__name__)


class Made(Noun):
    """What one augmentation brought."""

    kind: str
    made: int
    leaks_dropped: int = Field(description="Equal to a validation or test text.")
    duplicates_dropped: int = Field(description="Equal to a training text or an earlier new one.")
    kept: int


@dataclass(frozen=True, kw_only=True)
class Augmented:
    """New texts, the originals not among them, and how they came about.

    The texts lie in the work folder, and are read from there.
    """

    texts: Sequence[Text]
    made: tuple[Made, ...]  # one an augmentation, in order


def augment(
    augmentations: Sequence[Augmentation],
    texts: Sequence[Text],
    held_out: Sequence[Text],
    *,
    teacher: LoadedModel,
    seed: int,
    work: Path,
) -> Augmented:
    """New texts; none equals another, a training text or a held-out one, case and spaces aside.

    Finished shards are kept under ``work`` and used again: after a kill the result is the same as
    without one. ``work`` must belong to this teacher and to the content of the files and models
    that the augmentations name, which are known here by name only.

    In memory are a digest of 16 bytes a text, to find equal ones by, and the positions of the kept.
    """
    leaks = {_key(text) for text in held_out}
    seen = {_key(text) for text in texts}
    texts_digest = digests.of_json(list(texts))
    kept: list[Sequence[Text]] = []
    made = []
    for augmentation in augmentations:
        name = type(augmentation).__name__
        key = digests.of_json([name, augmentation.identity, seed, texts_digest])
        counts = dict.fromkeys(("made", "leaks_dropped", "duplicates_dropped", "kept"), 0)
        for shard in _shards(augmentation, texts, teacher, seed, work / f"{name}-{key[:24]}"):
            chosen = []
            for position, text in enumerate(shard):
                folded = _key(text)
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
        log.info(
            "%s: %d texts made, %d kept; dropped %d duplicates and %d equal to held-out texts",
            name,
            counts["made"],
            counts["kept"],
            counts["duplicates_dropped"],
            counts["leaks_dropped"],
        )
    return Augmented(texts=Joined(*kept), made=tuple(made))


def _shards(
    augmentation: Augmentation,
    texts: Sequence[Text],
    teacher: LoadedModel,
    seed: int,
    folder: Path,
) -> Iterator[Texts]:
    """One after the other; models are loaded only where a shard is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    is_pair = bool(texts) and not isinstance(texts[0], str)
    make: Make | None = None
    count = augmentation.shards(len(texts))
    for shard in range(count):
        path = _finished(folder, shard)
        if path is None:
            make = make or augmentation.opened(texts, teacher=teacher, seed=seed)
            path = _write(folder, shard, make(shard), is_pair=is_pair)
            log.info("%s: shard %d of %d", type(augmentation).__name__, shard + 1, count)
        yield corpora.opened(path)


def _write(folder: Path, shard: int, texts: Iterable[Text], *, is_pair: bool) -> Path:
    """Whole or not at all: written aside, then renamed; its name holds its digest."""
    aside = folder / f"{shard:06d}.{os.getpid()}"
    corpora.write(aside, texts, is_pair=is_pair)
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


def _key(text: Text) -> bytes:
    return digests.of_texts(normalized(text))
