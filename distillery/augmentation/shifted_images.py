"""Images moved, turned and scaled a little, as no two people hold a pen or a camera alike.

Affine distortions with bilinear interpolation (Simard, Steinkraus and Platt 2003, "Best Practices
for Convolutional Neural Networks Applied to Visual Document Analysis", §2). Hinton et al. 2015 (§3)
move the digits that their teacher learns from by up to two pixels.

Deviations: no skew and no elastic distortion. What comes into view takes the value of the nearest
pixel of the border.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from distillery.augmentation.base import Make, Varying
from distillery.data.examples import Example
from distillery.errors import UserError
from distillery.runtimes.images import Image, Shape

if TYPE_CHECKING:
    from distillery.teachers.base import LoadedModel

# H height, W width, C channels


class ShiftedImages(Varying):
    """Each training image a few times more, every time a little elsewhere."""

    reads: ClassVar[Literal["text", "image"]] = "image"

    kind: Literal["shifted_images"] = "shifted_images"
    variants_per_image: int = Field(
        default=2,
        ge=1,
        le=1000,
        title="Variants",
        description="Made of each image; those equal to another image are dropped.",
    )
    max_shift_pixels: float = Field(
        default=2.0,
        ge=0,
        le=10_000,
        title="Farthest shift (pixels)",
        description="Down or up, and as far to the right or left.",
    )
    max_rotation_degrees: float = Field(
        default=10.0, ge=0, le=180, title="Largest turn (degrees)", description="Either way."
    )
    max_scale: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        title="Largest scaling",
        description="Share of its size that an image grows or shrinks by, about its centre.",
    )

    @model_validator(mode="after")
    def _something_changes(self) -> "ShiftedImages":
        if not (self.max_shift_pixels or self.max_rotation_degrees or self.max_scale):
            raise ValueError(
                "max_shift_pixels, max_rotation_degrees and max_scale are 0: nothing would "
                "change; raise one"
            )
        return self

    def check(self, *, is_pair: bool) -> None:
        """Nothing to fetch."""

    def check_shape(self, image_shape: Shape) -> None:
        """No image is moved by half its size or more: little would be left to see."""
        half = min(image_shape[:2]) / 2
        if self.max_shift_pixels >= half:
            raise UserError(
                f"augmentation: shifted_images: max_shift_pixels {self.max_shift_pixels:g} moves "
                f"half of an image of {image_shape[1]}×{image_shape[0]} pixels out of view; use "
                f"less than {half:g}"
            )

    def opened(self, texts: Sequence[Example], *, teacher: "LoadedModel", seed: int) -> Make:
        """The teacher is not asked. Each amount is drawn evenly from its range."""

        def make(shard: int) -> list[Example]:
            made: list[Example] = []
            for row in self.rows_of(shard, len(texts)):
                image = texts[row]
                assert isinstance(image, Image), "checked with the recipe"
                stream = self.stream(seed, str(row).encode(), image.data)
                for down, right, turn, growth in stream.uniform(
                    -1, 1, (self.variants_per_image, 4)
                ):
                    pixels = shifted(
                        image.pixels,
                        down_pixels=down * self.max_shift_pixels,
                        right_pixels=right * self.max_shift_pixels,
                        rotation_degrees=turn * self.max_rotation_degrees,
                        scale=1 + growth * self.max_scale,
                    )
                    made.append(Image(pixels))
            return made

        return make


def shifted(
    pixels: NDArray[np.uint8],
    *,
    down_pixels: float = 0.0,
    right_pixels: float = 0.0,
    rotation_degrees: float = 0.0,
    scale: float = 1.0,
) -> NDArray[np.uint8]:
    """(H, W, C): scaled and turned (counter-clockwise) about the centre, then moved."""
    H, W, _ = pixels.shape
    middle_y, middle_x = (H - 1) / 2, (W - 1) / 2
    # each pixel of the result asks where it comes from: the way back
    y, x = np.indices((H, W), dtype=np.float64)
    y -= middle_y + down_pixels
    x -= middle_x + right_pixels
    sine = math.sin(math.radians(rotation_degrees)) / scale
    cosine = math.cos(math.radians(rotation_degrees)) / scale
    from_y = np.clip(middle_y + cosine * y + sine * x, 0, H - 1)
    from_x = np.clip(middle_x + cosine * x - sine * y, 0, W - 1)
    above, left = from_y.astype(np.int64), from_x.astype(np.int64)
    below, beside = np.minimum(above + 1, H - 1), np.minimum(left + 1, W - 1)
    share_below = (from_y - above)[..., np.newaxis]
    share_beside = (from_x - left)[..., np.newaxis]
    upper = pixels[above, left] * (1 - share_beside) + pixels[above, beside] * share_beside
    lower = pixels[below, left] * (1 - share_beside) + pixels[below, beside] * share_beside
    mean: NDArray[np.float64] = upper * (1 - share_below) + lower * share_below
    return np.rint(mean).astype(np.uint8)
