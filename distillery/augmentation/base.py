"""What every way to make more rows is.

Work is cut into numbered shards. A shard depends on the settings, the rows, the teacher and the
seed alone: not on the other shards, nor on the order they are made in. So they can be kept, and a
run that was killed goes on with those that are missing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from distillery import digests
from distillery.data.examples import Example, parts, singles
from distillery.errors import UserError
from distillery.noun import Noun
from distillery.runtimes.images import Shape

if TYPE_CHECKING:
    from distillery.teachers.base import LoadedModel

Make = Callable[[int], Iterable[Example]]
"""Shard number → its new rows."""

Rewrite = Callable[[Sequence[str], Sequence[np.random.Generator]], list[list[str]]]
"""Strings, each with its own stream of random numbers → ``variants_per_text`` variants of each."""

SHARD_ROWS = 512


class Augmentation(Noun, ABC):
    """Makes new rows from the training rows, or fetches them."""

    reads: ClassVar[Literal["text", "image"]] = "text"

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

    def check_shape(self, image_shape: Shape) -> None:
        """That it can do something with images of this shape. Raises what ``check`` raises."""

    @abstractmethod
    def shards(self, rows: int) -> int:
        """How many shards there are for so many training rows."""

    @abstractmethod
    def opened(self, texts: Sequence[Example], *, teacher: "LoadedModel", seed: int) -> Make:
        """Load and count what the shards need; called only where one has to be made.

        Raises what ``check`` raises.
        """


class Varying(Augmentation):
    """New rows out of each training row; a shard is those of a few hundred."""

    def shards(self, rows: int) -> int:
        """The last one may be shorter."""
        return -(-rows // SHARD_ROWS)

    @staticmethod
    def rows_of(shard: int, rows: int) -> range:
        """The training rows that a shard is made of."""
        return range(shard * SHARD_ROWS, min((shard + 1) * SHARD_ROWS, rows))

    def stream(self, seed: int, *of: bytes) -> np.random.Generator:
        """Each row's own, or each string's: its variants do not hang on what stands beside it."""
        named = (type(self).__name__.encode(), str(seed).encode())
        return np.random.default_rng(int.from_bytes(digests.of_parts((*named, *of)), "little"))


class Rewriting(Varying):
    """New texts out of each training text."""

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

    def opened(self, texts: Sequence[Example], *, teacher: "LoadedModel", seed: int) -> Make:
        """Batched over the strings of a shard; a batch never reaches into the next shard."""
        rewrite = self.rewriter(singles(texts), teacher)

        def make(shard: int) -> list[Example]:
            rows = self.rows_of(shard, len(texts))
            strings = [part for row in rows for part in parts(texts[row])]
            streams = [
                self.stream(seed, str(row).encode(), str(side).encode(), part.encode())
                for row in rows
                for side, part in enumerate(parts(texts[row]))
            ]
            variants = iter(rewrite(strings, streams))
            made: list[Example] = []
            for row in rows:
                text = texts[row]
                if isinstance(text, tuple):
                    made += self.paired(text, next(variants), next(variants))
                else:
                    made += next(variants)
            return made

        return make


def restated(error: UserError, what: str, mend: str) -> UserError:
    """An error of a loader that others use too, under the name that it has here."""
    reason = str(error).split(": ", 1)[-1].rsplit("; ", 1)[0]
    return UserError(f"augmentation: {what}: {reason}; {mend}")


def _content(path: Path) -> str:
    return digests.of_folder(path) if path.is_dir() else digests.of_file(path)
