"""Images moved, turned and scaled: where each pixel goes, by hand and by SciPy's own resampling."""

from pathlib import Path
from typing import Any

import numpy as np
import pictures
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import ndimage

from distillery.augmentation import base
from distillery.augmentation.corpus import augment
from distillery.augmentation.shifted_images import ShiftedImages, shifted
from distillery.data.examples import Example
from distillery.errors import UserError
from distillery.runtimes.images import Image
from distillery.teachers.base import LoadedModel


def _noise(height: int, width: int, channels: int = 1) -> NDArray[np.uint8]:
    shape = (height, width, channels)
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def test_a_whole_shift_moves_every_pixel_and_repeats_the_border() -> None:
    pixels = np.arange(1, 13, dtype=np.uint8).reshape(3, 4, 1)
    found = shifted(pixels, down_pixels=1, right_pixels=2)[..., 0]
    assert found.tolist() == [[1, 1, 1, 2], [1, 1, 1, 2], [5, 5, 5, 6]]


def test_half_a_pixel_is_the_mean_of_two() -> None:
    pixels = np.array([[10, 20, 40]], dtype=np.uint8)[..., np.newaxis]
    assert shifted(pixels, right_pixels=-0.5)[..., 0].tolist() == [[15, 30, 40]]


def test_a_quarter_turn_goes_against_the_clock() -> None:
    pixels = _noise(5, 5, 3)
    assert np.array_equal(shifted(pixels, rotation_degrees=90), np.rot90(pixels))


def test_twice_the_size_shows_the_middle() -> None:
    pixels = np.zeros((1, 5, 1), dtype=np.uint8)
    pixels[0, 2], pixels[0, 3] = 100, 60
    assert shifted(pixels, scale=2)[..., 0].tolist() == [[0, 50, 100, 80, 60]]


@pytest.mark.parametrize("channels", [1, 3])
def test_all_at_once_as_scipy_resamples(channels: int) -> None:
    """Each result pixel p is read at c + M (p − c − shift), M the inverse of turn and scale."""
    pixels = _noise(9, 12, channels)
    angle, scale, shift = np.deg2rad(17.0), 1.15, np.array([1.3, -2.4])
    inverse = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / scale
    middle = np.array([4.0, 5.5])
    expected = np.stack(
        [
            ndimage.affine_transform(
                pixels[..., channel].astype(float),
                inverse,
                offset=middle - inverse @ (middle + shift),
                order=1,
                mode="nearest",
            )
            for channel in range(channels)
        ],
        axis=-1,
    )
    found = shifted(pixels, down_pixels=1.3, right_pixels=-2.4, rotation_degrees=17.0, scale=scale)
    assert np.abs(found - expected).max() <= 0.5 + 1e-9  # rounded to whole values


def _variants(teacher: LoadedModel, images: list[Example], **settings: Any) -> list[Example]:
    made = ShiftedImages.model_validate(settings)
    return list(made.opened(images, teacher=teacher, seed=4)(0))


def test_no_image_moves_farther_than_it_may(teacher: LoadedModel) -> None:
    """A ramp tells how far it went: each pixel's value is its column, ten a pixel."""
    ramp = np.tile(np.arange(20, dtype=np.uint8) * 10, (20, 1))
    moved = _variants(
        teacher,
        [Image(ramp)],
        variants_per_image=200,
        max_shift_pixels=3,
        max_rotation_degrees=0,
        max_scale=0,
    )
    shifts = [100 - float(one.pixels[10, 10, 0]) for one in moved if isinstance(one, Image)]
    assert len(shifts) == 200
    assert max(shifts) == pytest.approx(30, abs=2)
    assert min(shifts) == pytest.approx(-30, abs=2)
    assert np.mean(shifts) == pytest.approx(0, abs=5)  # deviation of the mean: 30 / √3 / √200


def test_variants_of_one_image_differ(teacher: LoadedModel) -> None:
    images, _ = pictures.pictures(6, channels=3)
    made = _variants(teacher, list(images), variants_per_image=3)
    assert len(set(made)) == 18
    assert {one.shape for one in made if isinstance(one, Image)} == {(8, 8, 3)}


def test_what_comes_out_equal_is_dropped_and_counted(
    tmp_path: Path, teacher: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blank image stays blank, however it is moved; and nothing held out comes in."""
    monkeypatch.setattr(base, "SHARD_ROWS", 4)
    images: list[Example] = list(pictures.pictures(9)[0])
    images[5] = Image(np.full((8, 8, 1), 7, dtype=np.uint8))
    augmentation = ShiftedImages(variants_per_image=2)

    def made(held_out: list[Example]) -> Any:
        return augment(
            [augmentation], images, held_out, teacher=teacher, seed=1, work=tmp_path / "work"
        )

    free = made([])
    (counts,) = free.made
    assert (counts.made, counts.duplicates_dropped, counts.leaks_dropped) == (18, 2, 0)
    assert len(free.texts) == counts.kept == 16
    (clean,) = made(list(free.texts[::4])).made
    assert (clean.leaks_dropped, clean.kept) == (4, 12)
    assert clean.told == (
        "12 of shifted_images (dropped 2 duplicates and 4 equal to held-out rows)"
    )


def test_settings_that_would_change_nothing_are_refused() -> None:
    still = {"max_shift_pixels": 0, "max_rotation_degrees": 0, "max_scale": 0}
    with pytest.raises(ValidationError, match="nothing would change; raise one"):
        ShiftedImages.model_validate(still)
    assert ShiftedImages.model_validate(still | {"max_scale": 0.1})


def test_a_shift_out_of_view_is_refused() -> None:
    far = ShiftedImages(max_shift_pixels=4)
    line = "max_shift_pixels 4 moves half of an image of 9×8 pixels out of view; use less than 4$"
    with pytest.raises(UserError, match=line):
        far.check_shape((8, 9, 1))
    far.check_shape((9, 9, 1))
