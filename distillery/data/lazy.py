"""Sequences that hold no elements: each is read or made when it is looked at."""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

T_co = TypeVar("T_co", covariant=True)

_AT_ONCE = 1000  # elements held while one iterates


class Lazy(Sequence[T_co], ABC):
    """Slices are lazy too, and an iteration holds a stretch at a time."""

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def at(self, position: int) -> T_co:
        """The one at this position, from 0."""

    def stretch(self, start: int, stop: int) -> Iterable[T_co]:
        """Those in a row; for those that can read many in one go."""
        return map(self.at, range(start, stop))

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> "Chosen[T_co]": ...
    def __getitem__(self, index: int | slice) -> "T_co | Chosen[T_co]":
        positions = range(len(self))
        if isinstance(index, slice):
            return Chosen(self, positions[index])
        return self.at(positions[index])

    def __iter__(self) -> Iterator[T_co]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self.stretch(start, min(start + _AT_ONCE, len(self)))


class Chosen(Lazy[T_co]):
    """Some of another sequence, by their positions in it."""

    def __init__(self, whole: Sequence[T_co], positions: range | NDArray[np.int64]) -> None:
        self._whole = whole
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def at(self, position: int) -> T_co:
        """As in the other, at its position."""
        return self._whole[int(self._positions[position])]

    def stretch(self, start: int, stop: int) -> Iterable[T_co]:
        """In one go where they are neighbours there too."""
        some = self._positions[start:stop]
        if isinstance(some, range) and some.step == 1 and isinstance(self._whole, Lazy):
            return self._whole.stretch(some.start, some.stop)
        return super().stretch(start, stop)


class Joined(Lazy[T_co]):
    """Several sequences, one after the other."""

    def __init__(self, *parts: Sequence[T_co]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def at(self, position: int) -> T_co:
        """From the part that it falls into."""
        part = bisect_right(self._ends, position)
        return self._parts[part][position - (self._ends[part - 1] if part else 0)]

    def __iter__(self) -> Iterator[T_co]:
        for part in self._parts:
            yield from part
