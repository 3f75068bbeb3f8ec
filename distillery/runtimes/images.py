"""Images as examples: uint8 pixels that can be compared, hashed and kept in one file.

Reaches neither torch nor distillery's nouns: this module is part of what is served. Pillow is
imported only where a file is decoded.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import PIL.Image

# H height, W width, C channels: 1 grey, 3 red, green and blue

Shape = tuple[int, int, int]
"""(H, W, C)."""


class Image:
    """One image; frozen, and equal to any other of the same pixels."""

    __slots__ = ("pixels",)

    pixels: NDArray[np.uint8]  # (H, W, C), not to be written to

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        """(H, W) is taken for (H, W, 1). Raises ``ValueError`` for what is no image."""
        grey = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
        if grey.ndim != 3 or grey.dtype != np.uint8:
            raise ValueError(
                f"an image is uint8 of (height, width, channels); this is {pixels.dtype} of "
                f"{pixels.shape}"
            )
        view = grey.view()
        view.setflags(write=False)
        object.__setattr__(self, "pixels", view)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an image is frozen: {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and np.array_equal(self.pixels, other.pixels)

    def __hash__(self) -> int:
        return hash((self.shape, self.data))

    def __repr__(self) -> str:
        return f"Image({words(self.shape)})"

    @property
    def shape(self) -> Shape:
        """(H, W, C)."""
        H, W, C = self.pixels.shape
        return H, W, C

    @property
    def data(self) -> bytes:
        """The pixels, row by row."""
        return self.pixels.tobytes()


def words(shape: Shape) -> str:
    """A shape, for people: ``28×28 pixels, grey``."""
    H, W, C = shape
    colours = {1: "grey", 3: "colour"}.get(C, f"{C} channels")
    return f"{W}×{H} pixels, {colours}"


def decoded(data: bytes, shape: Shape | None = None) -> Image:
    """The image in a file's bytes (PNG, JPEG and whatever else Pillow reads), grey or colour.

    Transparency is dropped. Raises ``ValueError`` where the bytes are no image, are cut short, hold
    more than 8 bits a channel, or say that they are not as wide and high as ``shape``: a few
    kilobytes may hold a hundred million pixels, which are not unpacked to be refused.
    """
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(data)) as file:
            if file.mode.startswith(("I", "F")):
                raise ValueError("it has more than 8 bits a channel")
            if shape is not None and (file.height, file.width) != shape[:2]:
                raise ValueError(_unlike(f"{file.width}×{file.height} pixels", shape))
            pixels = np.asarray(_plain(file), dtype=np.uint8)
    except PIL.UnidentifiedImageError as error:  # its own words name an object in memory
        raise ValueError("cannot identify the format of the image") from error
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(str(error).splitlines()[0][:120]) from error
    return Image(pixels)


def _plain(file: "PIL.Image.Image") -> "PIL.Image.Image":
    if file.mode in ("1", "L", "LA"):
        return file.convert("L")
    return file.convert("RGB")


def checked(image: Image, shape: Shape | None) -> Image:
    """The image. Raises ``ValueError`` where a model that reads ``shape`` does not read it."""
    if image.shape != shape:
        raise ValueError(_unlike(words(image.shape), shape))
    return image


def _unlike(found: str, shape: Shape | None) -> str:
    wanted = "none" if shape is None else words(shape)
    return f"the image is {found}; this model reads {wanted}: resize it"


def stacked(images: Sequence[Image]) -> NDArray[np.uint8]:
    """(N, H, W, C). Raises ``ValueError`` where they differ in shape."""
    return np.stack([image.pixels for image in images])


def write(images: Sequence[Image], path: Path) -> None:
    """One .npy file for all of them."""
    np.save(path, stacked(images), allow_pickle=False)


def read(path: Path) -> list[Image]:
    """The images of such a file; a pixel is read from disk when it is looked at."""
    # as plain arrays: a memmap costs several microseconds a row to take apart
    return [Image(one) for one in np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))]
