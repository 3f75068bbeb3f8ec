"""Lazy sequences against the lists they stand for."""

from collections.abc import Sequence

import numpy as np
import pytest

from distillery.data.lazy import Chosen, Joined, Lazy


class Squares(Lazy[int]):
    def __len__(self) -> int:
        return 2500

    def at(self, position: int) -> int:
        return position * position


_SQUARES = [i * i for i in range(2500)]
_PICKED = [7, 3, 3, 2499]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Squares(), _SQUARES),
        (Squares()[10:2000], _SQUARES[10:2000]),
        (Squares()[::-7][2:50], _SQUARES[::-7][2:50]),
        (Chosen(Squares(), np.array(_PICKED)), [_SQUARES[i] for i in _PICKED]),
        (Joined([1, 2], Squares(), (), [3]), [1, 2, *_SQUARES, 3]),
        (Joined([1, 2], Squares())[1:4], [2, 0, 1]),
        (Joined[int](), []),
    ],
    ids=["all", "slice", "steps", "chosen", "joined", "slice of joined", "nothing"],
)
def test_it_reads_as_the_list_does(found: Sequence[int], expected: list[int]) -> None:
    assert list(found) == expected
    assert len(found) == len(expected)
    assert [found[i] for i in range(len(found))] == expected
    assert list(found[5:]) == expected[5:]
    if expected:
        assert found[-1] == expected[-1]
    with pytest.raises(IndexError):
        found[len(expected)]
