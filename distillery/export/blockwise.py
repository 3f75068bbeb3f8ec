"""Numbers of 4 or 8 bits with a scale and a zero point a block, as ONNX Runtime's operators read
them: GatherBlockQuantized for tables, MatMulNBits for matrices.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# R rows, W width, N blocks a row

Bits = Literal[4, 8]


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """One matrix: value ≈ (number - zero point) · scale, each block of a row with its own two."""

    bits: Bits
    block_size: int
    width: int
    numbers: NDArray[np.uint8]  # (R, N · block size), one number an element
    scales: NDArray[np.float32]  # (R, N)
    zero_points: NDArray[np.uint8]  # (R, N)

    @property
    def values(self) -> NDArray[np.float32]:
        """(R, W): what the numbers stand for."""
        shape = (*self.scales.shape, self.block_size)
        offsets = self.numbers.reshape(shape).astype(np.float32) - self.zero_points[..., None]
        values: NDArray[np.float32] = (offsets * self.scales[..., None]).reshape(shape[0], -1)
        return values[:, : self.width]


def block_size(width: int, largest: int) -> int:
    """The largest power of two up to ``largest``, at least 16, that fills rows without a rest, or
    16 where none does.
    """
    fitting = [size for size in (16, 32, 64, 128, 256) if size <= largest and width % size == 0]
    return max(fitting, default=16)


def quantized(matrix: NDArray[np.float32], bits: Bits, size: int) -> Blocks:
    """Each block's range, 0 included, in 2^bits steps; a last block that is not full is padded."""
    rows, width = matrix.shape
    blocks = -(-width // size)
    padded = np.zeros((rows, blocks * size), dtype=np.float32)
    padded[:, :width] = matrix
    grouped = padded.reshape(rows, blocks, size)
    low = np.minimum(grouped.min(axis=2), 0)
    high = np.maximum(grouped.max(axis=2), 0)
    most = (1 << bits) - 1
    scales = ((high - low) / most).astype(np.float32)
    scales[scales == 0] = 1  # all zeros: any scale says so
    zero_points = np.clip(np.round(-low / scales), 0, most)
    numbers = np.clip(np.round(grouped / scales[..., None]) + zero_points[..., None], 0, most)
    return Blocks(
        bits=bits,
        block_size=size,
        width=width,
        numbers=numbers.astype(np.uint8).reshape(rows, -1),
        scales=scales,
        zero_points=zero_points.astype(np.uint8),
    )


def packed(numbers: NDArray[np.uint8], bits: Bits) -> NDArray[np.uint8]:
    """Two numbers of 4 bits a byte, the first one low; an odd last one alone."""
    if bits == 8:
        return numbers
    if numbers.shape[-1] % 2:
        numbers = np.concatenate([numbers, np.zeros_like(numbers[..., :1])], axis=-1)
    low, high = numbers[..., 0::2], numbers[..., 1::2]
    return np.bitwise_or(low, np.left_shift(high, np.uint8(4)), dtype=np.uint8)
