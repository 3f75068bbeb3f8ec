"""All augmentations of a recipe over the training texts: made, kept, cleaned."""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from distillery import digests
from distillery.augmentation.base import Augmentation, Make
from distillery.nouns import Noun
from distillery.preparation import Text, normalized
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
    """New texts, the originals not among them, and how they came about."""

    texts: list[Text]
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
    """
    leaks = {_key(text) for text in held_out}
    seen = {_key(text) for text in texts}
    texts_digest = digests.of_json(list(texts))
    kept: list[Text] = []
    made = []
    for augmentation in augmentations:
        name = type(augmentation).__name__
        key = digests.of_json([name, augmentation.identity, seed, texts_digest])
        counts = dict.fromkeys(("made", "leaks_dropped", "duplicates_dropped", "kept"), 0)
        for shard in _shards(augmentation, texts, teacher, seed, work / f"{name}-{key[:24]}"):
            for text in shard:
                folded = _key(text)
                counts["made"] += 1
                if folded in leaks:
                    counts["leaks_dropped"] += 1
                elif folded in seen:
                    counts["duplicates_dropped"] += 1
                else:
                    seen.add(folded)
                    kept.append(text)
                    counts["kept"] += 1
        made.append(Made(kind=str(augmentation.model_dump()["kind"]), **counts))
        log.info(
            "%s: %d texts made, %d kept; dropped %d duplicates and %d equal to held-out texts",
            name,
            counts["made"],
            counts["kept"],
            counts["duplicates_dropped"],
            counts["leaks_dropped"],
        )
    return Augmented(texts=kept, made=tuple(made))


def _shards(
    augmentation: Augmentation,
    texts: Sequence[Text],
    teacher: LoadedModel,
    seed: int,
    folder: Path,
) -> Iterator[list[Text]]:
    """One after the other; models are loaded only where a shard is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    make: Make | None = None
    count = augmentation.shards(len(texts))
    for shard in range(count):
        path = folder / f"{shard:06d}.json"
        found = _read(path)
        if found is None:
            make = make or augmentation.opened(texts, teacher=teacher, seed=seed)
            found = make(shard)
            _write(path, found)
            log.info("%s: shard %d of %d", type(augmentation).__name__, shard + 1, count)
        yield found


def _write(path: Path, texts: Sequence[Text]) -> None:
    """Whole or not at all: written aside, then renamed."""
    aside = path.with_suffix(f".{os.getpid()}")
    with aside.open("w", encoding="utf-8") as stream:
        json.dump({"digest": digests.of_json(list(texts)), "texts": list(texts)}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)


def _read(path: Path) -> list[Text] | None:
    """A finished shard; None where it is missing or damaged."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if digests.of_json(stored["texts"]) == stored["digest"]:
            return [text if isinstance(text, str) else tuple(text) for text in stored["texts"]]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        pass
    log.warning("making the damaged shard %s anew", path)
    return None


def _key(text: Text) -> bytes:
    return digests.of_texts(normalized(text))
