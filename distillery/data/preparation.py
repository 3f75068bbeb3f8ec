"""From a recipe's data slice to a Dataset: checked as a whole, split, cleaned of leaks, stored."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distillery import storage
from distillery.data.examples import Example, columns, same, schema_like, stored
from distillery.data.rows import Rows, declared_names, rows_of
from distillery.data.sources import load_source
from distillery.errors import UserError
from distillery.nouns import Dataset, Split
from distillery.recipe import Data
from distillery.runtimes import images
from distillery.runtimes.images import Image, Shape

if TYPE_CHECKING:
    import pyarrow

log = logging.getLogger(__name__)

LENGTH_BOUNDS = (4, 8, 16, 32, 64, 128)
"""Whitespace words; a bound belongs to the class it closes."""

_OF_SCORES = ("score",)  # the single label name of a data set of scores


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Everything known of a data set before it is stored."""

    train: Rows
    validation: Rows
    test: Rows
    label_names: tuple[str, ...]
    leaked_rows_removed: int
    validation_made_from_train: bool
    test_made_from_train: bool
    image_shape: Shape | None = None
    score_range: tuple[float, float] | None = None


def load(data: Data) -> Splits:
    """Load and check everything a training would stumble over later.

    Raises ``UserError`` with one line for a source that cannot be reached or read, a missing
    column or split, a column of another kind, images of several sizes, an empty split, a label
    only in validation or test, a label with a single row, a score that is no finite number, and a
    split of equal scores.
    """
    source = load_source(data)
    if data.train_split not in source:
        raise UserError(
            f"data: no split '{data.train_split}' in '{data.source}'; "
            f"it has {', '.join(sorted(source))}; set data.train_split"
        )
    train = rows_of(source[data.train_split], data, data.train_split)
    _refuse_single_rows(train, train.names, data)
    label_order = declared_names(source[data.train_split], data.label)

    test_made = data.test_split not in source
    if test_made:
        train, test = _split_off(train, data.test_fraction, seed=1)
    else:
        test = rows_of(source[data.test_split], data, data.test_split)
    validation_made = data.validation_split not in source
    if validation_made:
        train, validation = _split_off(train, data.validation_fraction, seed=2)
    else:
        validation = rows_of(source[data.validation_split], data, data.validation_split)

    image_shape = _common_shape(
        {data.train_split: train, data.validation_split: validation, data.test_split: test}
    )
    known = set(train.names)
    for name, rows in ((data.validation_split, validation), (data.test_split, test)):
        unknown = sorted(set(rows.names) - known)
        if unknown:
            raise UserError(
                f"data: label '{unknown[0]}' stands in split '{name}' but not in "
                f"'{data.train_split}' of '{data.source}'; no model could learn it: add rows for "
                "it, or remove it"
            )

    kept, removed = _without_leaks(train, (validation, test))
    if not len(kept):
        raise UserError(
            f"data: every row of '{data.train_split}' also stands in validation or test; "
            "check that the splits of the data set differ"
        )
    _refuse_single_rows(kept, known, data)
    names = tuple(name for name in label_order if name in known) or tuple(sorted(known))
    score_range = None
    if data.label_kind == "score":
        names = _OF_SCORES
        score_range = _score_range(kept, data, data.train_split)
        _score_range(validation, data, data.validation_split)
        _score_range(test, data, data.test_split)
    elif len(names) < 2:
        raise UserError(
            f"data: column '{data.label}' holds the single label '{names[0]}'; a classifier "
            "needs two: set data.label to another column"
        )
    return Splits(
        train=kept,
        validation=validation,
        test=test,
        label_names=names,
        image_shape=image_shape,
        score_range=score_range,
        leaked_rows_removed=removed,
        validation_made_from_train=validation_made,
        test_made_from_train=test_made,
    )


def labelled(data: Data) -> Rows:
    """The rows of a source that is not to be split: of its test split, or where it has none, of its
    training split, as a single file is.

    Raises ``UserError`` as ``load`` does, for what concerns a single split.
    """
    source = load_source(data)
    split = data.test_split if data.test_split in source else data.train_split
    if split not in source:
        raise UserError(
            f"data: no split '{data.test_split}' in '{data.source}'; it has "
            f"{', '.join(sorted(source))}; set data.test_split"
        )
    return rows_of(source[split], data, split)


def store(splits: Splits, data: Data, name: str) -> Dataset:
    """Write the splits as Parquet files and say what is in them."""
    import pyarrow.parquet

    with storage.new_folder() as folder:
        for split_name in ("train", "validation", "test"):
            table = _table(getattr(splits, split_name), splits.label_names)
            pyarrow.parquet.write_table(table, folder / f"{split_name}.parquet")
        artifact = storage.put(folder, "dataset")
    if splits.leaked_rows_removed:
        log.info(
            "removed %d training rows that also stand in validation or test",
            splits.leaked_rows_removed,
        )
    return Dataset(
        name=name,
        source=data.source,
        artifact=artifact,
        label_names=splits.label_names,
        is_pair=data.text_pair is not None,
        image_shape=splits.image_shape,
        score_range=splits.score_range,
        train=_described(splits.train, splits.label_names),
        validation=_described(splits.validation, splits.label_names),
        test=_described(splits.test, splits.label_names),
        leaked_rows_removed=splits.leaked_rows_removed,
        validation_made_from_train=splits.validation_made_from_train,
        test_made_from_train=splits.test_made_from_train,
    )


def read(dataset: Dataset, split: str) -> tuple[list[Example], list[float]]:
    """The examples of one stored split, and their label indices (integers) or scores."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(storage.fetch(dataset.artifact) / f"{split}.parquet")
    return list(stored(table)), table["label"].to_pylist()


def _common_shape(splits: Mapping[str, Rows]) -> Shape | None:
    """That of every image; None for text. Raises ``UserError`` where they differ."""
    first: Shape | None = None
    for name, rows in splits.items():
        for row, example in enumerate(rows.texts):
            if not isinstance(example, Image):
                return None
            first = first or example.shape
            if example.shape != first:
                raise UserError(
                    f"data: images differ: row {row} of split '{name}' is "
                    f"{images.words(example.shape)}, others {images.words(first)}; bring them to "
                    "one size and one kind of colour"
                )
    return first


def _score_range(rows: Rows, data: Data, name: str) -> tuple[float, float]:
    """Raises ``UserError`` where all are equal: nothing could be ranked."""
    least, most = min(rows.scores), max(rows.scores)
    if least == most:
        # GLUE publishes its test splits with -1 for every score
        raise UserError(
            f"data: all scores in column '{data.label}' of split '{name}' are {least:g}; nothing "
            "can be ranked: choose a labelled split, such as data.test_split=validation, or set "
            "data.label"
        )
    return least, most


def _refuse_single_rows(rows: Rows, labels: Iterable[str], data: Data) -> None:
    counts = Counter(rows.names)
    for label in sorted(set(labels)):
        if counts[label] < 2:
            left = "a single training row" if counts[label] else "no training row"
            raise UserError(
                f"data: label '{label}' has {left} in '{data.source}', held-out rows aside; it "
                "can be neither learned nor split: add rows for it, or remove it"
            )


def _split_off(rows: Rows, fraction: float, *, seed: int) -> tuple[Rows, Rows]:
    """Stratified, seeded; each label keeps at least one row on both sides. Scores are one class."""
    generator = np.random.default_rng(seed)
    by_label: dict[str, list[int]] = {}
    for i, label in enumerate(rows.names or [""] * len(rows)):
        by_label.setdefault(label, []).append(i)
    taken: set[int] = set()
    for label in sorted(by_label):
        positions = by_label[label]
        count = min(max(1, round(len(positions) * fraction)), len(positions) - 1)
        taken.update(int(i) for i in generator.permutation(positions)[:count])
    rest = [i for i in range(len(rows)) if i not in taken]
    return rows.take(rest), rows.take(sorted(taken))


def _without_leaks(train: Rows, held_out: Sequence[Rows]) -> tuple[Rows, int]:
    seen = {same(example) for rows in held_out for example in rows.texts}
    keep = [i for i, example in enumerate(train.texts) if same(example) not in seen]
    return train.take(keep), len(train) - len(keep)


def _table(rows: Rows, label_names: tuple[str, ...]) -> "pyarrow.Table":
    import pyarrow

    index = {name: i for i, name in enumerate(label_names)}
    labels = [index[label] for label in rows.names] or rows.scores
    schema = schema_like(rows.texts[0])
    table = pyarrow.table(columns(rows.texts, schema), schema=schema)
    return table.append_column("label", [labels])


def _described(rows: Rows, label_names: tuple[str, ...]) -> Split:
    counts = Counter(rows.names)
    texts = [text for text in rows.texts if not isinstance(text, Image)]
    words = [len((text if isinstance(text, str) else " ".join(text)).split()) for text in texts]
    buckets = np.searchsorted(LENGTH_BOUNDS, words)  # a bound belongs to the bucket it closes
    return Split(
        rows=len(rows),
        label_counts=tuple(counts[name] for name in label_names) if counts else (),
        length_histogram=tuple(
            int(n) for n in np.bincount(buckets, minlength=len(LENGTH_BOUNDS) + 1)
        )
        if texts
        else (),
    )
