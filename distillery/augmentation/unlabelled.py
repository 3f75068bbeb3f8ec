"""Text without labels, from the task's domain or from anywhere, for the teacher to answer on."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from distillery.augmentation.base import Augmentation, Make, restated
from distillery.errors import UserError

if TYPE_CHECKING:
    import datasets

    from distillery.data.examples import Example, Text
    from distillery.teachers.base import LoadedModel

_BATCH_ROWS = 1000  # read at once


class Unlabelled(Augmentation):
    """Rows of another data set; its labels, if any, are not looked at."""

    files: ClassVar[tuple[str, ...]] = ("source",)

    kind: Literal["unlabelled"] = "unlabelled"
    source: str = Field(
        min_length=1,
        title="Source",
        description="A data set's hub name, or a local folder or file (Parquet, CSV, JSON Lines).",
    )
    config: str | None = Field(default=None, title="Hub configuration")
    split: str = Field(default="train", min_length=1, title="Split")
    text: str = Field(default="text", min_length=1, title="Text column")
    text_pair: str | None = Field(
        default=None, title="Second text column", description="For sentence pairs."
    )
    max_rows: int = Field(
        default=100_000,
        ge=1,
        le=10_000_000,
        title="Most rows",
        description="Drawn at random where there are more.",
    )

    def check(self, *, is_pair: bool) -> None:
        """It can be reached, has its columns, and is of pairs where the data set is."""
        if is_pair and self.text_pair is None:
            raise UserError(
                "augmentation: unlabelled: the data set is of sentence pairs; set text_pair to the "
                f"second text column of '{self.source}'"
            )
        if self.text_pair is not None and not is_pair:
            raise UserError(
                "augmentation: unlabelled: text_pair is set, but the data set is of single texts; "
                "leave text_pair out"
            )
        self._rows()

    def shards(self, rows: int) -> int:
        """A single one, whatever there is to train on."""
        return 1

    def opened(self, texts: "Sequence[Example]", *, teacher: "LoadedModel", seed: int) -> Make:
        """The training texts only tell whether pairs are wanted."""
        self.check(is_pair=bool(texts) and isinstance(texts[0], tuple))
        return lambda shard: self.texts(seed=seed)

    def texts(self, *, seed: int) -> "Iterator[Text]":
        """The rows, or as many as are wanted of them, a batch at a time; blank ones are left out.

        Drawn by the seed, in the order they stand in. Raises what ``check`` raises.
        """
        rows = self._rows()
        if rows.num_rows > self.max_rows:
            stream = np.random.default_rng([abs(seed), int(seed < 0)])
            chosen = stream.choice(rows.num_rows, self.max_rows, replace=False)
            rows = rows.select(np.sort(chosen))
        columns = [self.text] if self.text_pair is None else [self.text, self.text_pair]
        for batch in rows.select_columns(list(dict.fromkeys(columns))).iter(_BATCH_ROWS):
            for row in zip(*(batch[column] for column in columns), strict=True):
                if all(_says_something(text) for text in row):
                    yield row[0] if self.text_pair is None else row

    def _rows(self) -> "datasets.Dataset":
        # sources imports the recipe, which lists this class
        from distillery.data.sources import load_source
        from distillery.recipe import Data

        wanted = Data(source=self.source, config=self.config, train_split=self.split)
        try:
            splits = load_source(wanted)
        except UserError as error:
            raise restated(
                error,
                "unlabelled",
                "give source a hub name or a local folder or file (Parquet, CSV, JSON Lines)",
            ) from error
        if self.split not in splits:
            raise UserError(
                f"augmentation: unlabelled: no split '{self.split}' in '{self.source}'; it has "
                f"{', '.join(sorted(splits))}; set split"
            )
        rows = splits[self.split]
        for name, column in (("text", self.text), ("text_pair", self.text_pair)):
            if column is None:
                continue
            if column not in rows.column_names:
                raise UserError(
                    f"augmentation: unlabelled: no column '{column}' in '{self.source}'; it has "
                    f"{', '.join(rows.column_names)}; set {name}"
                )
            kind = getattr(rows.features[column], "dtype", "not text")
            if kind not in ("string", "large_string"):
                raise UserError(
                    f"augmentation: unlabelled: column '{column}' of '{self.source}' is {kind}; "
                    f"set {name} to a text column"
                )
        return rows


def _says_something(text: str | None) -> bool:
    return text is not None and bool(text.strip())
