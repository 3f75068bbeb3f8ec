"""What every way to make more text is.

Work is cut into numbered shards. A shard depends on the settings, the texts, the teacher and the
seed alone: not on the other shards, nor on the order they are made in. So they can be kept, and a
run that was killed goes on with those that are missing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from distillery import digests
from distillery.errors import UserError
from distillery.noun import Noun

if TYPE_CHECKING:
    from distillery.data.preparation import Text
    from distillery.teachers.base import LoadedModel

Make = Callable[[int], "Iterable[Text]"]
"""Shard number → its new texts."""

Rewrite = Callable[[Sequence[str], Sequence[np.random.Generator]], list[list[str]]]
"""Strings, each with its own stream of random numbers → ``variants_per_text`` variants of each."""

SHARD_ROWS = 512


class Augmentation(Noun, ABC):
    """Makes new texts from the training texts, or fetches them."""

    files: ClassVar[tuple[str, ...]] = ()
    """Its fields that may name local files or folders."""

    @property
    def identity(self) -> object:
        """The settings, and the content of local files that they name."""
        settings = self.model_dump(mode="json")
        named = [Path(settings[name]) for name in self.files if settings[name]]
        return [settings, [_content(path) for path in named if path.exists()]]

    @abstractmethod
    def check(self, *, is_pair: bool) -> None:
        """All that can be told before a training starts.

        Raises ``UserError`` with the mend.
        """

    def check_teacher(self, source: str | None) -> None:
        """That the first teacher can help as asked: a checkpoint by its source, before training.

        None stands for one that learns a vocabulary of its own. Raises what ``check`` raises.
        """

    @abstractmethod
    def shards(self, rows: int) -> int:
        """How many shards there are for so many training rows."""

    @abstractmethod
    def opened(self, texts: "Sequence[Text]", *, teacher: "LoadedModel", seed: int) -> Make:
        """Load and count what the shards need; called only where one has to be made.

        Raises what ``check`` raises.
        """


class Rewriting(Augmentation):
    """New texts out of each training text; a shard is a few hundred rows."""

    variants_per_text: int = Field(
        default=20,
        ge=1,
        le=1000,
        title="Variants",
        description="Made of each text; those equal to another text are dropped.",
    )

    @abstractmethod
    def rewriter(self, texts: Sequence[str], teacher: "LoadedModel") -> Rewrite:
        """What rewrites single strings, given all strings of the training texts."""

    @abstractmethod
    def paired(
        self, pair: tuple[str, str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> list[tuple[str, str]]:
        """Variants of a pair, given as many variants of its first text as of its second."""

    def shards(self, rows: int) -> int:
        """The last one may be shorter."""
        return -(-rows // SHARD_ROWS)

    def opened(self, texts: "Sequence[Text]", *, teacher: "LoadedModel", seed: int) -> Make:
        """Batched over the strings of a shard; a batch never reaches into the next shard."""
        singles = [part for text in texts for part in _parts(text)]
        rewrite = self.rewriter(singles, teacher)

        def make(shard: int) -> "list[Text]":
            rows = range(shard * SHARD_ROWS, min((shard + 1) * SHARD_ROWS, len(texts)))
            strings = [part for row in rows for part in _parts(texts[row])]
            streams = [
                self._stream(seed, row, side, part)
                for row in rows
                for side, part in enumerate(_parts(texts[row]))
            ]
            variants = iter(rewrite(strings, streams))
            made: list[Text] = []
            for row in rows:
                text = texts[row]
                if isinstance(text, str):
                    made += next(variants)
                else:
                    made += self.paired(text, next(variants), next(variants))
            return made

        return make

    def _stream(self, seed: int, row: int, side: int, part: str) -> np.random.Generator:
        """Each string has its own: its variants do not hang on what stands beside it."""
        key = digests.of_texts((type(self).__name__, str(seed), str(row), str(side), part))
        return np.random.default_rng(int.from_bytes(key, "little"))


def restated(error: UserError, what: str, mend: str) -> UserError:
    """An error of a loader that others use too, under the name that it has here."""
    reason = str(error).split(": ", 1)[-1].rsplit("; ", 1)[0]
    return UserError(f"augmentation: {what}: {reason}; {mend}")


def _content(path: Path) -> str:
    return digests.of_folder(path) if path.is_dir() else digests.of_file(path)


def _parts(text: "Text") -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else text
