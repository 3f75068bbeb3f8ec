"""From a recipe's data slice to a Dataset: loaded, checked, split, cleaned of leaks, digested."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distillery import digests, storage
from distillery.data.asking_hub import ask_hub
from distillery.data.examples import Example, Text, columns, same, schema_like, stored
from distillery.errors import UserError
from distillery.nouns import Dataset, Split
from distillery.recipe import Data
from distillery.runtimes import images
from distillery.runtimes.images import Image, Shape

if TYPE_CHECKING:
    import datasets
    import pyarrow

log = logging.getLogger(__name__)

LENGTH_BOUNDS = (4, 8, 16, 32, 64, 128)
"""Whitespace words; a bound belongs to the class it closes."""

_FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}
_OF_SCORES = ("score",)  # the single label name of a data set of scores
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
    train = _rows(source[data.train_split], data, data.train_split)
    _refuse_single_rows(train, train.names, data)
    label_order = _declared_names(source[data.train_split], data.label)

    test_made = data.test_split not in source
    if test_made:
        train, test = _split_off(train, data.test_fraction, seed=1)
    else:
        test = _rows(source[data.test_split], data, data.test_split)
    validation_made = data.validation_split not in source
    if validation_made:
        train, validation = _split_off(train, data.validation_fraction, seed=2)
    else:
        validation = _rows(source[data.validation_split], data, data.validation_split)

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
    return _rows(source[split], data, split)


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


def load_source(data: Data) -> "Mapping[str, datasets.Dataset]":
    import datasets

    datasets.disable_progress_bars()
    # its loaders log what they raise; we say it once, in our own words
    datasets.utils.logging.set_verbosity(logging.CRITICAL)
    cache = str(storage.root() / "work" / "datasets")
    path = Path(data.source).expanduser()
    looks_local = data.source.startswith(("/", "./", "../", "~")) or path.suffix in _FORMATS
    try:
        if path.exists() or looks_local:
            kind, files = _local_files(path, data)
            # each on its own: together, a split with other columns only reads "Couldn't cast"
            return {split: _load_split(data, kind, split, files[split], cache) for split in files}
        ask_hub(data.source, "README.md", "dataset")
        return dict(datasets.load_dataset(data.source, data.config, cache_dir=cache))
    except UserError:
        raise
    except Exception as error:  # the loader raises whatever its parsers and transports raise
        reason = _innermost(error)
        if path.exists():
            raise UserError(
                f"data: cannot read '{data.source}': {reason}; is a file damaged, or in another "
                "format than its name says?"
            ) from error
        raise UserError(
            f"data: cannot reach data set '{data.source}': {reason}; check the name and the "
            "network, or give a local folder: --set data.source=/path/to/folder"
        ) from error


def _load_split(
    data: Data, kind: str, split: str, files: Sequence[str], cache: str
) -> "datasets.Dataset":
    import datasets

    try:
        return datasets.load_dataset(
            kind,
            data_files={split: files},
            split=split,
            cache_dir=cache,
            # 'NA' and 'None' are words and labels, not missing values
            **({"keep_default_na": False} if kind == "csv" else {}),
        )
    except ValueError as error:
        if "corresponds to no data" not in str(error):
            raise
        # the loader has no other word for files without rows
        raise UserError(
            f"data: split '{split}' of '{data.source}' is empty; it needs rows"
        ) from error


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:160].rstrip(".") if lines else type(error).__name__


def _local_files(path: Path, data: Data) -> tuple[str, dict[str, list[str]]]:
    """The loader's name, and the files of each split.

    A single file is the training split. In a folder, a file belongs to the split its name starts
    with (``train.parquet``, ``test-00000-of-00002.parquet``).
    """
    if not path.exists():
        raise UserError(f"data: there is no file or folder '{data.source}'; check data.source")
    if path.is_file():
        kind = _FORMATS.get(path.suffix)
        if kind is None:
            raise UserError(
                f"data: '{path.name}' is of no known format; give one of {', '.join(_FORMATS)}"
            )
        _refuse_empty(path)
        return kind, {data.train_split: [str(path)]}
    wanted = (data.train_split, data.validation_split, data.test_split)
    files = sorted(file for file in path.rglob("*") if file.suffix in _FORMATS)
    found: dict[str, list[str]] = {}
    kinds: set[str] = set()
    for split in wanted:
        for file in files:
            stem = file.name[len(split) :]
            if file.name.startswith(split) and not stem[:1].isalpha():
                _refuse_empty(file)
                found.setdefault(split, []).append(str(file))
                kinds.add(_FORMATS[file.suffix])
    if data.train_split not in found:
        raise UserError(
            f"data: the folder '{data.source}' holds no file {data.train_split}.parquet, .csv or "
            f".jsonl; it holds {', '.join(file.name for file in files[:4]) or 'none of them'}"
        )
    if len(kinds) > 1:
        raise UserError(
            f"data: the folder '{data.source}' mixes {' and '.join(sorted(kinds))} files; "
            "keep one format"
        )
    return kinds.pop(), found


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise UserError(f"data: the file {path} is empty; fetch it again or remove it")


def _rows(split: "datasets.Dataset", data: Data, name: str) -> Rows:
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


def _label_column(
    split: "datasets.Dataset", data: Data, name: str
) -> Sequence[str] | Sequence[float]:
    if data.label_kind == "score":
        return _score_column(split, data, name)
    declared = _declared_names(split, data.label)
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


def _declared_names(split: "datasets.Dataset", column: str) -> tuple[str, ...]:
    """The names of a ClassLabel column, in their published order; nothing for other columns."""
    names: Callable[[], list[str]] | list[str] = getattr(split.features[column], "names", [])
    return tuple(names) if isinstance(names, list) else ()


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
