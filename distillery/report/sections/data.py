"""The data set: its splits, how often each class occurs, how long its rows are."""

from dataclasses import dataclass

from distillery.nouns import Dataset
from distillery.report.measure import measure_of
from distillery.runtimes import images

_LENGTHS = ("1–4", "5–8", "9–16", "17–32", "33–64", "65–128", "129 and more")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A number with a bar's length, 0 to 100, for each split."""

    label: str
    counts: tuple[int, ...]
    widths: tuple[float, ...]


def rows_are(dataset: Dataset) -> str:
    """What one row is, in the plural."""
    if dataset.image_shape is not None:
        return f"images of {images.words(dataset.image_shape)},"
    return "pairs of texts" if dataset.is_pair else "texts"


def splits(dataset: Dataset) -> list[tuple[str, int, str]]:
    """Name, rows, and what each split is for."""
    how = "stratified by label" if dataset.label_kind == "class" else "at random"
    made = f"taken from the training rows, {how}"
    return [
        ("train", dataset.train.rows, "what the models learn from"),
        (
            "validation",
            dataset.validation.rows,
            "chooses the best epoch and seed"
            + (f"; {made}" if dataset.validation_made_from_train else ""),
        ),
        (
            "test",
            dataset.test.rows,
            f"every {measure_of(dataset.label_kind).name} on this page"
            + (f"; {made}" if dataset.test_made_from_train else ""),
        ),
    ]


def class_bars(dataset: Dataset) -> list[Bar]:
    """Rows of each class, most frequent first. None for scores."""
    if dataset.label_kind == "score":
        return []
    splits = (dataset.train, dataset.validation, dataset.test)
    most = [max(split.label_counts, default=0) or 1 for split in splits]
    bars = []
    for label, *counts in zip(
        dataset.label_names, *(split.label_counts for split in splits), strict=True
    ):
        widths = tuple(100 * n / m for n, m in zip(counts, most, strict=True))
        bars.append(Bar(label=label, counts=tuple(counts), widths=widths))
    return sorted(bars, key=lambda bar: -bar.counts[0])


def length_bars(dataset: Dataset) -> list[Bar]:
    """Rows by length, as shares of their split, so that splits compare. None for images."""
    if dataset.kind == "image":
        return []
    splits = (dataset.train, dataset.validation, dataset.test)
    most = max(
        (n / split.rows for split in splits if split.rows for n in split.length_histogram),
        default=1.0,
    )
    bars = []
    for label, *counts in zip(_LENGTHS, *(s.length_histogram for s in splits), strict=True):
        widths = tuple(
            100 * n / split.rows / (most or 1) if split.rows else 0.0
            for n, split in zip(counts, splits, strict=True)
        )
        bars.append(Bar(label=label, counts=tuple(counts), widths=widths))
    return bars
