"""One split's columns as rows, each checked: texts, pairs or images, and their labels or scores."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distillery import digests, storage
from distillery.data.examples import Example, Text
from distillery.errors import UserError
from distillery.recipe import Data
from distillery.runtimes import images
from distillery.runtimes.images import Image

if TYPE_CHECKING:
    import datasets

_BATCH_ROWS = 1000  # read at once


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One split's rows. ``labels`` are names until the label set is known, or scores."""

    texts: Sequence[Example]
    labels: Sequence[str | float]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, keep: Sequence[int]) -> "Rows":
        """The rows at these positions, in this order."""
        return Rows(texts=[self.texts[i] for i in keep], labels=[self.labels[i] for i in keep])

    @property
    def names(self) -> list[str]:
        """The labels of classes."""
        return [label for label in self.labels if isinstance(label, str)]

    @property
    def scores(self) -> list[float]:
        """The labels that are numbers."""
        return [label for label in self.labels if not isinstance(label, str)]


def rows_of(split: "datasets.Dataset", data: Data, name: str) -> Rows:
    """Those of one split. Raises ``UserError`` for a column that is not there or of another kind,
    with the row."""
    texts = [data.text, *([data.text_pair] if data.text_pair else [])]
    columns = [*([data.image] if data.image else texts), data.label]
    for column in columns:
        if column not in split.column_names:
            raise UserError(
                f"data: no column '{column}' in split '{name}' of '{data.source}'; it has "
                f"{', '.join(split.column_names)}; set data.text, data.text_pair, data.image or "
                "data.label"
            )
    if split.num_rows == 0:
        raise UserError(f"data: split '{name}' of '{data.source}' is empty; it needs rows")
    if data.image is not None:
        found = _image_column(split, data.image, name)
        return Rows(texts=found, labels=_label_column(split, data, name))
    texts = _text_column(split, data.text, name)
    if data.text_pair is not None:
        pairs: list[Text] = list(
            zip(texts, _text_column(split, data.text_pair, name, "text_pair"), strict=True)
        )
        return Rows(texts=pairs, labels=_label_column(split, data, name))
    return Rows(texts=list(texts), labels=_label_column(split, data, name))


def _text_column(
    split: "datasets.Dataset", column: str, name: str, setting: str = "text"
) -> list[str]:
    values = split[column][:]
    for row, value in enumerate(values):
        if not isinstance(value, str):
            what = "is missing" if value is None else f"is {type(value).__name__}, not text"
            raise UserError(
                f"data: column '{column}' of split '{name}', row {row}, {what}; "
                f"set data.{setting} to a text column, or drop the row"
            )
    return list(values)


def _image_column(split: "datasets.Dataset", column: str, name: str) -> list[Image]:
    import datasets

    try:
        # not decoded by the loader, whose errors name no row
        stored = split.select_columns(column).cast_column(column, datasets.Image(decode=False))
    except Exception as error:  # whatever Arrow raises for a cast that makes no sense
        raise UserError(
            f"data: column '{column}' of split '{name}' holds {split.features[column]}, not "
            "images; set data.image to an image column, or data.text to a text column"
        ) from error
    files: list[bytes] = []
    for batch in stored.with_format("arrow").iter(_BATCH_ROWS):
        for value in batch[column].to_pylist():
            with _naming(column, name, len(files)):
                files.append(_file_bytes(value))
    # decoding is most of the work, and a run loads its data several times: found by content
    decoded = storage.work("decoded") / f"{digests.of_parts(files).hex()}.npy"
    if not decoded.exists():
        found = []
        for row, file in enumerate(files):
            with _naming(column, name, row):
                found.append(images.decoded(file))
        if len({image.shape for image in found}) > 1:
            return found  # to be refused, with the row that differs
        with storage.new_folder() as folder:
            images.write(found, folder / decoded.name)
            (folder / decoded.name).replace(decoded)
    return images.read(decoded)


@contextmanager
def _naming(column: str, name: str, row: int) -> Iterator[None]:
    """Say which image it was that could not be read."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise UserError(
            f"data: column '{column}' of split '{name}', row {row}, is no image that can be "
            f"read ({error}); mend or drop the row"
        ) from error


def _file_bytes(value: Mapping[str, Any] | None) -> bytes:
    if value is None:
        raise ValueError("it is missing")
    data: bytes | None = value["bytes"]
    return Path(value["path"]).read_bytes() if data is None else data


def _label_column(
    split: "datasets.Dataset", data: Data, name: str
) -> Sequence[str] | Sequence[float]:
    if data.label_kind == "score":
        return _score_column(split, data, name)
    declared = declared_names(split, data.label)
    labels = []
    for row, value in enumerate(split[data.label][:]):
        if value is None or isinstance(value, float | list | dict):
            raise UserError(
                f"data: label column '{data.label}' of split '{name}', row {row}, is "
                f"{'missing' if value is None else type(value).__name__}; a label is a name or an "
                "integer"
            )
        if declared and not 0 <= value < len(declared):
            raise UserError(
                f"data: split '{name}' of '{data.source}' is not labelled (row {row} has label "
                f"{value}); choose a labelled split, such as data.test_split=validation"
            )
        labels.append(declared[value] if declared else str(value))
    return labels


def _score_column(split: "datasets.Dataset", data: Data, name: str) -> list[float]:
    scores = []
    for row, value in enumerate(split[data.label][:]):
        score = _number(value)
        if not math.isfinite(score):
            what = "missing" if value is None or value == "" else f"{value!r}"[:60]
            raise UserError(
                f"data: label column '{data.label}' of split '{name}', row {row}, is {what}; a "
                "score is a finite number: mend or drop the row, or set data.label_kind=class"
            )
        scores.append(score)
    return scores


def _number(value: object) -> float:
    """NaN for what is none. A column with one bad cell comes out of a CSV file as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def declared_names(split: "datasets.Dataset", column: str) -> tuple[str, ...]:
    """The names of a ClassLabel column, in their published order; nothing for other columns."""
    names: Callable[[], list[str]] | list[str] = getattr(split.features[column], "names", [])
    return tuple(names) if isinstance(names, list) else ()
