"""From image files to a Dataset: what is refused, and how; splits, leaks, digests."""

from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pictures
import PIL.Image
import pytest

from distillery.data import preparation
from distillery.errors import UserError
from distillery.recipe import Data
from distillery.runtimes.images import Image

pytestmark = pytest.mark.usefixtures("storage_root")


def _refusal(source: Path, **fields: str) -> str:
    with pytest.raises(UserError) as refused:
        preparation.load(Data.model_validate({"source": str(source), "image": "image", **fields}))
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith("data: ")
    return line


def _with(folder: Path, row: int, file: bytes | None) -> Path:
    """A source whose training split has another file in one row."""
    images, labels = pictures.pictures(24, seed=1)
    files: list[bytes | None] = [pictures.png(image) for image in images]
    files[row] = file
    pictures.write_split(folder / "train.parquet", files, labels)
    return folder


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_and_labels_come_back_as_they_were(tmp_path: Path, channels: int) -> None:
    dataset = pictures.make_dataset(tmp_path, channels=channels)
    assert dataset.kind == "image"
    assert dataset.image_shape == (pictures.SIZE, pictures.SIZE, channels)
    assert dataset.label_names == pictures.LABELS
    assert dataset.validation_made_from_train
    assert dataset.train.length_histogram == ()
    images, labels = pictures.pictures(24, seed=2, channels=channels)
    assert preparation.read(dataset, "test") == (images, labels)
    assert dataset.train.rows + dataset.validation.rows == 80
    assert min(dataset.validation.label_counts) == max(dataset.validation.label_counts) == 2


def test_equal_images_have_an_equal_digest_and_others_do_not(tmp_path: Path) -> None:
    first = pictures.make_dataset(tmp_path / "a")
    assert pictures.make_dataset(tmp_path / "b").digest == first.digest
    assert pictures.make_dataset(tmp_path / "c", train=84).digest != first.digest


def test_an_image_on_both_sides_is_left_out_of_training(tmp_path: Path) -> None:
    source = pictures.write_source(tmp_path)
    unseen, _ = pictures.pictures(24, seed=2)
    seen, labels = pictures.pictures(80, seed=1)
    files = [pictures.png(image) for image in [*seen, *unseen[:4]]]
    pictures.write_split(source / "train.parquet", files, [*labels, 0, 1, 2, 3])
    splits = preparation.load(Data(source=str(source), image="image"))
    assert splits.leaked_rows_removed + sum(one in unseen for one in splits.validation.texts) == 4
    assert not set(splits.train.texts) & set(unseen)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda whole: b"no picture", "cannot identify"),
        (lambda whole: whole[: len(whole) // 2], "is no image that can be read"),
        (lambda whole: None, "missing"),
        (lambda whole: b"", "cannot identify"),
    ],
    ids=["other bytes", "cut short", "missing", "empty"],
)
def test_a_broken_image_is_named(
    tmp_path: Path, broken: Callable[[bytes], bytes | None], why: str
) -> None:
    file = broken(pictures.png(pictures.pictures(1)[0][0]))
    line = _refusal(_with(tmp_path, 3, file))
    assert "row 3" in line
    assert why in line


def test_sixteen_bits_a_channel_are_refused(tmp_path: Path) -> None:
    deep = PIL.Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16))
    deep.save(tmp_path / "deep.png")
    line = _refusal(_with(tmp_path / "source", 1, (tmp_path / "deep.png").read_bytes()))
    assert "more than 8 bits" in line


@pytest.mark.parametrize("shape", [(8, 9, 1), (8, 8, 3)], ids=["size", "colour"])
def test_images_of_several_shapes_are_refused(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    other = pictures.png(Image(np.zeros(shape, dtype=np.uint8)))
    line = _refusal(_with(tmp_path, 5, other))
    assert "images differ" in line
    assert "8×8 pixels, grey" in line


def test_an_image_is_decoded_once_and_again_where_it_has_changed(
    tmp_path: Path, storage_root: Path
) -> None:
    data = Data(source=str(pictures.write_source(tmp_path)), image="image")
    first = preparation.load(data)
    kept = {path: path.stat().st_mtime_ns for path in storage_root.rglob("decoded/*.npy")}
    assert len(kept) == 2
    assert preparation.load(data) == first
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    others, labels = pictures.pictures(24, seed=9)
    pictures.write_split(tmp_path / "test.parquet", [pictures.png(one) for one in others], labels)
    assert preparation.load(data).test.texts == others


def test_a_column_of_something_else_is_refused(tmp_path: Path) -> None:
    source = pictures.write_source(tmp_path)
    assert "not images" in _refusal(source, image="label")
    assert "no column 'picture'" in _refusal(source, image="picture")


def test_an_image_column_is_no_text(tmp_path: Path) -> None:
    data = Data(source=str(pictures.write_source(tmp_path)), text="image")
    with pytest.raises(UserError, match="not text"):
        preparation.load(data)


def test_bytes_in_a_plain_struct_are_images_too(tmp_path: Path) -> None:
    images, labels = pictures.pictures(24)
    rows = {
        "image": [{"bytes": pictures.png(image), "path": None} for image in images],
        "label": [pictures.LABELS[label] for label in labels],
    }
    features = datasets.Features(
        {
            "image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "label": datasets.Value("string"),
        }
    )
    datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "train.parquet")
    splits = preparation.load(Data(source=str(tmp_path), image="image"))
    assert splits.image_shape == (8, 8, 1)


def test_real_digits(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "mnist"
    if not source.is_dir():
        pytest.skip("MNIST is not here")
    some = datasets.load_dataset("parquet", data_files=str(source / "test.parquet"), split="train")
    some.select(range(300)).to_parquet(tmp_path / "train.parquet")
    splits = preparation.load(Data(source=str(tmp_path), image="image"))
    assert splits.image_shape == (28, 28, 1)
    assert splits.label_names == tuple("0123456789")
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 300
