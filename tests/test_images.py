"""Images as examples: frozen, found by content, through a file, and served as they come."""

import io
from pathlib import Path

import numpy as np
import pictures
import PIL.Image
import pytest

from distillery.data.examples import key
from distillery.runtimes import images
from distillery.runtimes.base import Card, ImageEncoder
from distillery.runtimes.images import Image


def test_equal_pixels_are_one_image() -> None:
    (one, other), _ = pictures.pictures(2)
    again = Image(one.pixels.copy())
    assert again == one
    assert hash(again) == hash(one)
    assert len({one, again, other}) == 2
    assert key(again) == key(one) != key(other)


def test_a_shape_is_part_of_the_content() -> None:
    pixels = np.arange(12, dtype=np.uint8)
    wide, high = Image(pixels.reshape(3, 4)), Image(pixels.reshape(4, 3))
    assert wide.data == high.data
    assert wide != high
    assert key(wide) != key(high)


def test_it_is_frozen() -> None:
    (image,), _ = pictures.pictures(1)
    with pytest.raises(ValueError, match="read-only"):
        image.pixels[0, 0, 0] = 1
    with pytest.raises(AttributeError, match="frozen"):
        image.pixels = np.zeros((2, 2, 1), dtype=np.uint8)


@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), np.zeros(4, np.uint8)])
def test_what_is_no_image(wrong: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> None:
    with pytest.raises(ValueError, match="uint8"):
        Image(wrong)


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("1", 1), ("L", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3), ("P", 3), ("CMYK", 3)],
)
def test_files_come_out_grey_or_in_colour(mode: str, channels: int) -> None:
    with io.BytesIO() as file:
        PIL.Image.new(mode, (5, 3)).save(file, format="TIFF")
        assert images.decoded(file.getvalue()).shape == (3, 5, channels)


def test_through_one_file(tmp_path: Path) -> None:
    some, _ = pictures.pictures(7, channels=3)
    images.write(some, tmp_path / "images.npy")
    assert images.read(tmp_path / "images.npy") == some


def test_the_encoder_lines_up_channels_first_and_knows_its_size() -> None:
    card = Card(
        name="a",
        label_names=pictures.LABELS,
        max_length=0,
        is_pair=False,
        pad_token_id=0,
        kind="image",
        image_shape=(8, 8, 3),
    )
    some, _ = pictures.pictures(2, channels=3)
    pixels = ImageEncoder(card)(some)["pixel_values"]
    assert pixels.dtype == np.uint8
    assert pixels.shape == (2, 3, 8, 8)
    assert (pixels[1, 2] == some[1].pixels[:, :, 2]).all()
    with pytest.raises(ValueError, match="8×8 pixels, grey; this model reads 8×8 pixels, colour"):
        ImageEncoder(card)(pictures.pictures(1)[0])
