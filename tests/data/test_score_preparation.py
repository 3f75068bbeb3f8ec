"""Data sets of scores: what is refused, and how; splits, leaks, what is stored."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from distillery.data import preparation
from distillery.errors import UserError
from distillery.nouns import Dataset
from distillery.recipe import Data

pytestmark = pytest.mark.usefixtures("storage_root")


def _write(path: Path, scores: Sequence[object], begins: str = "row") -> Path:
    rows = [{"text": f"{begins} {i}", "label": score} for i, score in enumerate(scores)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _load(source: Path) -> Dataset:
    data = Data(source=str(source), label_kind="score")
    return preparation.store(preparation.load(data), data, "graded")


def _refusal(source: Path) -> str:
    with pytest.raises(UserError) as refused:
        _load(source)
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith("data: ")
    return line


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "is missing"),
        (float("nan"), "is "),
        (float("inf"), "is inf"),
        (float("-inf"), "is -inf"),
    ],
)
def test_a_score_that_is_no_finite_number(tmp_path: Path, value: object, what: str) -> None:
    line = _refusal(_write(tmp_path / "rows.jsonl", [0.5, 1.5, 2.5, value, 3.5]))
    assert f"label column 'label' of split 'train', row 3, {what}" in line
    assert "a score is a finite number: mend or drop the row" in line


@pytest.mark.parametrize(
    ("cell", "what"), [("", "is missing"), ("high", "is 'high'"), ("nan", "is 'nan'")]
)
def test_a_cell_of_a_csv_file_that_is_no_number(tmp_path: Path, cell: str, what: str) -> None:
    lines = ["text,label", "a,0.5", "b,1", f"c,{cell}", "d,4"]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    if cell == "nan":  # read as the number that it names
        what = "is "
    assert f"row 2, {what}" in _refusal(tmp_path / "rows.csv")


def test_truth_values_are_classes(tmp_path: Path) -> None:
    line = _refusal(_write(tmp_path / "rows.jsonl", [True, False, True]))
    assert "row 0, is True" in line
    assert "or set data.label_kind=class" in line


def test_scores_that_are_all_equal(tmp_path: Path) -> None:
    """GLUE publishes its test splits with -1 for every score."""
    _write(tmp_path / "train.jsonl", [0, 1, 2, 3, 4, 5, 2.5, 1.5])
    _write(tmp_path / "test.jsonl", [-1, -1, -1], "unseen")
    _write(tmp_path / "validation.jsonl", [1, 2], "seen")
    line = _refusal(tmp_path)
    assert "all scores in column 'label' of split 'test' are -1; nothing can be ranked" in line
    assert "such as data.test_split=validation" in line


def test_images_have_no_scores() -> None:
    with pytest.raises(ValueError, match="scores are for texts; leave out label_kind"):
        Data(source="somewhere", image="image", label_kind="score")


def test_scores_are_stored_as_they_are(tmp_path: Path) -> None:
    _write(tmp_path / "train.jsonl", [0, 4.5, 1.25, 3])
    _write(tmp_path / "validation.jsonl", [9, 2], "seen")
    _write(tmp_path / "test.jsonl", [0.5, 2], "unseen")
    dataset = _load(tmp_path)
    assert dataset.label_kind == "score"
    assert dataset.label_names == ("score",)
    assert dataset.score_range == (0, 4.5), "of the training rows"
    assert dataset.train.label_counts == ()
    assert preparation.read(dataset, "train") == (
        ["row 0", "row 1", "row 2", "row 3"],
        [0.0, 4.5, 1.25, 3.0],
    )
    assert preparation.read(dataset, "validation")[1] == [9.0, 2.0]
    again = Dataset.model_validate_json(dataset.model_dump_json())
    assert again == dataset


def test_missing_splits_are_made_and_leaks_removed(tmp_path: Path) -> None:
    folder = tmp_path / "data"  # the storage lies beside it
    folder.mkdir()
    # as many values as rows: nothing to stratify by
    _write(folder / "train.jsonl", [i / 7 for i in range(100)])
    dataset = _load(folder)
    assert (dataset.train.rows, dataset.validation.rows, dataset.test.rows) == (72, 8, 20)
    assert dataset.test_made_from_train
    assert _load(folder).digest == dataset.digest

    (folder / "test.jsonl").write_text(
        "".join(json.dumps({"text": f"ROW  {i}", "label": i}) + "\n" for i in range(3))
    )
    assert _load(folder).leaked_rows_removed == 3


def test_numbers_stay_names_where_classes_are_asked_for(tmp_path: Path) -> None:
    data = Data(source=str(_write(tmp_path / "rows.jsonl", [0, 1] * 20)))
    assert preparation.load(data).label_names == ("0", "1")
    assert _load(tmp_path / "rows.jsonl").score_range == (0, 1)
