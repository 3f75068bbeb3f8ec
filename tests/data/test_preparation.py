"""From files to a Dataset: what is refused, and how; splits, leaks, digests, descriptions."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

from distillery import storage
from distillery.data import preparation
from distillery.errors import UserError
from distillery.nouns import Dataset
from distillery.recipe import Data

pytestmark = pytest.mark.usefixtures("storage_root")

Records = Sequence[dict[str, Any]]


def _records(labels: str, begins: str = "row") -> list[dict[str, Any]]:
    """One row a letter of ``labels``, each of another text."""
    return [{"text": f"{begins} {i}", "label": label} for i, label in enumerate(labels)]


TRAIN, VALIDATION, TEST = _records("aabbab"), _records("ab", "seen"), _records("abb", "unseen")


def _write(path: Path, records: Records, features: datasets.Features | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(record) + "\n" for record in records))
        case ".csv":
            with path.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(records[0]))
                writer.writeheader()
                writer.writerows(records)
        case ".parquet":
            names = list(features) if features else list(records[0])
            columns = {name: [record[name] for record in records] for name in names}
            datasets.Dataset.from_dict(columns, features=features).to_parquet(path)
    return path


def _folder(
    at: Path,
    train: Records = TRAIN,
    validation: Records | None = VALIDATION,
    test: Records | None = TEST,
    suffix: str = ".jsonl",
    features: datasets.Features | None = None,
) -> Path:
    for name, records in (("train", train), ("validation", validation), ("test", test)):
        if records is not None:
            _write(at / f"{name}{suffix}", records, features)
    return at


def _prepare(source: Path, **columns: str) -> Dataset:
    data = Data.model_validate({"source": str(source), **columns})
    return preparation.store(preparation.load(data), data, "a name")


def _refusal(source: Path | str, **columns: str) -> str:
    with pytest.raises(UserError) as refused:
        preparation.load(Data.model_validate({"source": str(source), **columns}))
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith("data: ")
    return line


def _class_label(*names: str) -> datasets.Features:
    return datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(names))}
    )


# what is refused


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ({"text": "sentence"}, "sentence"),
        ({"label": "intent"}, "intent"),
        ({"text_pair": "sentence2"}, "sentence2"),
    ],
)
def test_a_missing_column(tmp_path: Path, columns: dict[str, str], missing: str) -> None:
    line = _refusal(_folder(tmp_path), **columns)
    assert f"no column '{missing}' in split 'train'" in line
    assert "it has text, label; set data.text" in line


def test_a_column_missing_from_one_split_only(tmp_path: Path) -> None:
    folder = _folder(tmp_path, test=None)
    _write(folder / "test.jsonl", [{"utterance": "hello", "label": "a"}])
    line = _refusal(folder)
    assert f"no column 'text' in split 'test' of '{folder}'; it has utterance, label" in line


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_label_that_is_only_held_out(tmp_path: Path, split: str) -> None:
    line = _refusal(_folder(tmp_path, **{split: _records("abz", "other")}))  # type: ignore[arg-type]
    assert f"label 'z' stands in split '{split}' but not in 'train'" in line
    assert "add rows for it, or remove it" in line


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_without_rows(tmp_path: Path, split: str) -> None:
    features = _class_label("a", "b")
    parts: dict[str, Any] = {
        "train": [{**row, "label": "ab".index(row["label"])} for row in TRAIN],
        "validation": [{**row, "label": 0} for row in VALIDATION],
        "test": [{**row, "label": 0} for row in TEST],
    }
    folder = _folder(tmp_path, **{**parts, split: []}, suffix=".parquet", features=features)
    assert f"split '{split}' of '{folder}' is empty; it needs rows" in _refusal(folder)


def test_a_row_group_without_rows(tmp_path: Path) -> None:
    """As a filtered table is written, where the loader divides by the group's rows."""
    folder = _folder(tmp_path, suffix=".parquet")
    table = pq.read_table(folder / "test.parquet")
    pq.write_table(table.slice(0, 0), folder / "test-00001.parquet")
    whole = preparation.load(Data(source=str(folder)))
    assert len(whole.test) == table.num_rows, "beside files with rows it changes nothing"
    (folder / "test.parquet").unlink()
    assert f"split 'test' of '{folder}' is empty; it needs rows" in _refusal(folder)


def test_a_label_with_a_single_row(tmp_path: Path) -> None:
    line = _refusal(_folder(tmp_path, train=_records("aabbz")))
    assert "label 'z' has a single training row" in line
    assert "add rows for it, or remove it" in line


def test_a_label_whose_rows_all_leak(tmp_path: Path) -> None:
    train = [*TRAIN, {"text": "leak one", "label": "c"}, {"text": "leak two", "label": "c"}]
    held_out = [*VALIDATION, {"text": "leak one", "label": "c"}, {"text": "leak two", "label": "c"}]
    line = _refusal(_folder(tmp_path, train=train, validation=held_out))
    assert "label 'c' has no training row" in line
    assert "held-out rows aside" in line


def test_a_label_whose_rows_are_all_needed_for_the_splits(tmp_path: Path) -> None:
    line = _refusal(_write(tmp_path / "rows.jsonl", _records("a" * 20 + "bbb")))
    assert "label 'b' has a single training row" in line
    assert "held-out rows aside" in line


def test_a_single_label(tmp_path: Path) -> None:
    folder = _folder(tmp_path, train=_records("aaaa"), validation=None, test=_records("a", "t"))
    assert "column 'label' holds the single label 'a'; a classifier needs two" in _refusal(folder)


def test_train_rows_that_all_stand_in_the_test(tmp_path: Path) -> None:
    folder = _folder(tmp_path, validation=None, test=TRAIN)
    assert "every row of 'train' also stands in validation or test" in _refusal(folder)


@pytest.mark.parametrize(
    ("value", "what"), [(None, "row 1, is missing"), (7, "row 0, is int, not text")]
)
def test_a_text_column_that_is_no_text(tmp_path: Path, value: object, what: str) -> None:
    train = [dict(row) for row in TRAIN]
    if value is None:
        train[1]["text"] = None
    else:
        train = [{**row, "text": value} for row in train]
    line = _refusal(_folder(tmp_path, train=train, validation=None, test=None))
    assert f"column 'text' of split 'train', {what}; set data.text to a text column" in line


def test_a_second_column_that_is_no_text(tmp_path: Path) -> None:
    rows = [{"text": "a", "other": i, "label": "ab"[i % 2]} for i in range(8)]
    folder = tmp_path / "source"
    folder.mkdir()
    _write(folder / "train.jsonl", rows)
    line = _refusal(folder, text_pair="other")
    assert "column 'other' of split 'train', row 0, is int, not text; set data.text_pair" in line


@pytest.mark.parametrize(("value", "what"), [(None, "missing"), (0.5, "float")])
def test_a_label_that_is_no_name(tmp_path: Path, value: object, what: str) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.Value("float64")}
    )
    train = [{"text": f"row {i}", "label": value if i == 3 else 1.0} for i in range(6)]
    if value is None:  # strings, so that only the missing one is wrong
        features["label"] = datasets.Value("string")
        train = [{**row, "label": None if i == 3 else "a"} for i, row in enumerate(train)]
    line = _refusal(_write(tmp_path / "rows.parquet", train, features))
    assert f"is {what}; a label is a name or an integer" in line


def test_an_unlabelled_test_split(tmp_path: Path) -> None:
    """GLUE publishes its test splits with -1 for every label."""
    numbered = [{**row, "label": "ab".index(row["label"])} for row in TRAIN]
    folder = _folder(
        tmp_path,
        train=numbered,
        validation=[{"text": "seen", "label": 1}],
        test=[{"text": "unseen", "label": -1}],
        suffix=".parquet",
        features=_class_label("a", "b"),
    )
    line = _refusal(folder)
    assert f"split 'test' of '{folder}' is not labelled (row 0 has label -1)" in line
    assert "choose a labelled split, such as data.test_split=validation" in line


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    line = _refusal(_folder(tmp_path), train_split="training")
    assert "holds no file training.parquet, .csv or .jsonl" in line
    assert "it holds test.jsonl, train.jsonl, validation.jsonl" in line


@pytest.mark.parametrize("name", ["train.parquet", "train.jsonl"])
def test_a_corrupt_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'PAR1 {"text": not what the name says')
    line = _refusal(tmp_path)
    assert f"cannot read '{tmp_path}'" in line
    assert "is a file damaged, or in another format than its name says?" in line


def test_a_parquet_file_cut_short(tmp_path: Path) -> None:
    whole = _write(tmp_path / "train.parquet", TRAIN).read_bytes()
    (tmp_path / "train.parquet").write_bytes(whole[: len(whole) // 2])
    assert "is a file damaged" in _refusal(tmp_path / "train.parquet")


@pytest.mark.parametrize("whole_folder", [True, False])
def test_an_empty_file(tmp_path: Path, whole_folder: bool) -> None:
    (tmp_path / "train.csv").touch()
    line = _refusal(tmp_path if whole_folder else tmp_path / "train.csv")
    assert f"the file {tmp_path / 'train.csv'} is empty; fetch it again or remove it" in line


def test_a_file_of_unknown_format(tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_text("rows")
    line = _refusal(tmp_path / "rows.xlsx")
    assert "'rows.xlsx' is of no known format; give one of .parquet, .csv, .jsonl, .json" in line


def test_a_folder_that_mixes_formats(tmp_path: Path) -> None:
    _write(tmp_path / "train.csv", TRAIN)
    _write(tmp_path / "test.jsonl", TEST)
    assert "mixes csv and json files; keep one format" in _refusal(tmp_path)


def test_a_folder_without_data(tmp_path: Path) -> None:
    assert "it holds none of them" in _refusal(tmp_path)


@pytest.mark.parametrize("source", ["/no/such/folder", "./no-such-folder", "no-such-file.csv"])
def test_a_source_that_is_not_there(source: str) -> None:
    assert f"there is no file or folder '{source}'; check data.source" in _refusal(source)


def test_a_hub_name_that_cannot_be_reached() -> None:
    line = _refusal("nobody/no-such-data")
    assert "cannot reach data set 'nobody/no-such-data'" in line
    assert "give a local folder: --set data.source=/path/to/folder" in line


# what is read


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_reads_the_same(tmp_path: Path, suffix: str) -> None:
    dataset = _prepare(_folder(tmp_path / "data", suffix=suffix))
    assert dataset.label_names == ("a", "b")
    assert not dataset.is_pair
    assert not dataset.validation_made_from_train
    assert not dataset.test_made_from_train
    assert preparation.read(dataset, "train") == (
        [f"row {i}" for i in range(6)],
        [0, 0, 1, 1, 0, 1],
    )
    assert preparation.read(dataset, "validation") == (["seen 0", "seen 1"], [0, 1])
    assert preparation.read(dataset, "test") == (["unseen 0", "unseen 1", "unseen 2"], [0, 1, 1])
    # the digest is of the content, whatever file it came in
    assert dataset.digest == _prepare(_folder(tmp_path / "lines")).digest


def test_a_split_in_several_files(tmp_path: Path) -> None:
    _write(tmp_path / "train-00000-of-00002.jsonl", TRAIN[:4])
    _write(tmp_path / "train-00001-of-00002.jsonl", TRAIN[4:])
    _write(tmp_path / "test.jsonl", TEST)
    _write(tmp_path / "trainer-notes.jsonl", [{"text": "no row", "label": "no label"}])
    splits = preparation.load(Data(source=str(tmp_path)))
    assert len(splits.train) + len(splits.validation) == len(TRAIN)
    assert splits.label_names == ("a", "b")


def test_pairs(tmp_path: Path) -> None:
    def pairs(records: Records) -> Records:
        return [{**row, "text_b": f"other {row['text']}"} for row in records]

    folder = _folder(tmp_path, pairs(TRAIN), pairs(VALIDATION), pairs(TEST))
    dataset = _prepare(folder, text_pair="text_b")
    assert dataset.is_pair
    assert preparation.read(dataset, "validation") == (
        [("seen 0", "other seen 0"), ("seen 1", "other seen 1")],
        [0, 1],
    )
    assert dataset.validation.length_histogram == (0, 2, 0, 0, 0, 0, 0)  # both texts: five words


def test_class_labels_keep_their_published_order(tmp_path: Path) -> None:
    features = _class_label("not_equivalent", "equivalent", "never used")
    train = [{"text": f"row {i}", "label": i % 2} for i in range(12)]
    dataset = _prepare(_write(tmp_path / "rows.parquet", train, features))
    assert dataset.label_names == ("not_equivalent", "equivalent")
    texts, labels = preparation.read(dataset, "train")
    assert labels == [int(str(text).split()[1]) % 2 for text in texts]


def test_class_labels_of_splits_are_matched_by_name(tmp_path: Path) -> None:
    numbered = [{**row, "label": "ab".index(row["label"])} for row in TRAIN]
    _write(tmp_path / "train.parquet", numbered, _class_label("a", "b"))
    _write(tmp_path / "test.parquet", [{"text": "unseen", "label": "a"}])
    dataset = _prepare(tmp_path)
    assert preparation.read(dataset, "test") == (["unseen"], [dataset.label_names.index("a")])


def test_integer_labels_become_names(tmp_path: Path) -> None:
    train = [{"text": f"row {i}", "label": i % 2 + 3} for i in range(12)]
    assert _prepare(_write(tmp_path / "rows.csv", train)).label_names == ("3", "4")


# splits, leaks, digests, descriptions


def test_a_single_file_is_split_by_label(tmp_path: Path) -> None:
    source = _write(tmp_path / "rows.jsonl", _records("a" * 50 + "b" * 10 + "c" * 4))
    splits = preparation.load(Data(source=str(source)))
    assert splits.validation_made_from_train
    assert splits.test_made_from_train
    # a fifth for the test, then a tenth of the rest; each label keeps a row on every side
    assert Counter(splits.test.labels) == {"a": 10, "b": 2, "c": 1}
    assert Counter(splits.validation.labels) == {"a": 4, "b": 1, "c": 1}
    assert Counter(splits.train.labels) == {"a": 36, "b": 7, "c": 2}
    texts = [*splits.train.texts, *splits.validation.texts, *splits.test.texts]
    assert sorted(map(str, texts)) == sorted(f"row {i}" for i in range(64))


def test_splitting_again_gives_the_same_rows(tmp_path: Path) -> None:
    source = _write(tmp_path / "rows.jsonl", _records("ab" * 30))
    copy = _write(tmp_path / "copy.jsonl", _records("ab" * 30))
    assert _prepare(source).artifact == _prepare(source).artifact == _prepare(copy).artifact


def test_leaks_are_removed_from_the_training_rows_only(tmp_path: Path) -> None:
    train = [
        *TRAIN,
        {"text": "  SEEN\t0 ", "label": "a"},
        {"text": "Unseen 1", "label": "b"},
        {"text": "unseen  1", "label": "a"},  # whatever its label
        {"text": "seen 0 again", "label": "a"},
    ]
    dataset = _prepare(_folder(tmp_path, train=train))
    assert dataset.leaked_rows_removed == 3
    texts, _ = preparation.read(dataset, "train")
    assert texts == [*(row["text"] for row in TRAIN), "seen 0 again"]
    assert dataset.validation.rows == len(VALIDATION)
    assert dataset.test.rows == len(TEST)


def test_a_pair_leaks_only_as_a_pair(tmp_path: Path) -> None:
    train = [{"text": f"left {i}", "text_b": f"right {i}", "label": "ab"[i % 2]} for i in range(8)]
    held_out = [
        {"text": "LEFT 0", "text_b": "right 0", "label": "a"},
        {"text": "left 1", "text_b": "right 2", "label": "b"},  # both sides known, not together
        {"text": "left", "text_b": "3 right 3", "label": "b"},  # the same words, cut elsewhere
    ]
    dataset = _prepare(_folder(tmp_path, train, held_out, held_out), text_pair="text_b")
    assert dataset.leaked_rows_removed == 1


def test_one_changed_row_changes_the_digest(tmp_path: Path) -> None:
    whole = _prepare(_folder(tmp_path / "whole"))
    again = _prepare(_folder(tmp_path / "again"))
    assert again.digest == whole.digest
    assert again.identity == whole.identity
    other_text = [{**TEST[0], "text": "changed"}, *TEST[1:]]
    other_label = [{**TEST[0], "label": "b"}, *TEST[1:]]
    found = {
        whole.digest,
        _prepare(_folder(tmp_path / "text", test=other_text)).digest,
        _prepare(_folder(tmp_path / "label", test=other_label)).digest,
        _prepare(_folder(tmp_path / "order", test=TEST[::-1])).digest,
    }
    assert len(found) == 4


def test_other_label_names_are_another_input(tmp_path: Path) -> None:
    """The same indices under other names: what caches a step must see the difference."""
    renamed = [[{**row, "label": row["label"] * 2} for row in rows] for rows in (TRAIN, TEST)]
    one = _prepare(_folder(tmp_path / "one", validation=None))
    other = _prepare(_folder(tmp_path / "other", renamed[0], None, renamed[1]))
    assert one.digest == other.digest
    assert one.identity != other.identity


def test_the_description_of_a_split(tmp_path: Path) -> None:
    words = [1, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65, 128, 129]
    train = [{"text": " ".join([f"w{i}"] * n), "label": "aab"[i % 3]} for i, n in enumerate(words)]
    dataset = _prepare(_folder(tmp_path, train=train))
    assert dataset.train.rows == 13
    assert dataset.train.label_counts == (9, 4)
    # 1-4, 5-8, 9-16, 17-32, 33-64, 65-128, more
    assert dataset.train.length_histogram == (2, 2, 2, 2, 2, 2, 1)
    assert dataset.validation.label_counts == (1, 1)
    assert dataset.test.label_counts == (1, 2)


def test_only_the_prepared_rows_are_stored(tmp_path: Path) -> None:
    folder = storage.fetch(_prepare(_folder(tmp_path)).artifact)
    assert sorted(path.name for path in folder.iterdir()) == [
        "test.parquet",
        "train.parquet",
        "validation.parquet",
    ]


# real data, as shared/data/README.md describes it


def test_clinc150(shared_data: Path) -> None:
    dataset = _prepare(shared_data / "clinc150", label="intent")
    assert dataset.train.rows + dataset.leaked_rows_removed == 15_250
    assert (dataset.validation.rows, dataset.test.rows) == (3_100, 5_500)
    assert len(dataset.label_names) == 151
    assert "oos" in dataset.label_names
    assert not dataset.validation_made_from_train
    assert sum(dataset.test.label_counts) == 5_500
    assert dataset.test.label_counts[dataset.label_names.index("oos")] == 1_000


def test_mrpc(shared_data: Path) -> None:
    dataset = _prepare(shared_data / "mrpc", text="sentence1", text_pair="sentence2")
    assert dataset.is_pair
    assert dataset.label_names == ("not_equivalent", "equivalent")
    assert dataset.validation_made_from_train
    assert not dataset.test_made_from_train
    found = dataset.train.rows + dataset.validation.rows + dataset.leaked_rows_removed
    assert (found, dataset.test.rows) == (4_076, 1_725)
    # stratified: the shares of the labels are those of the training rows
    train, validation = dataset.train.label_counts, dataset.validation.label_counts
    assert validation[1] / sum(validation) == pytest.approx(train[1] / sum(train), abs=2e-3)
