"""One row as a model is given it: a text, a pair or an image; its identity, how it is stored."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from distillery import digests
from distillery.data.lazy import Joined, Lazy
from distillery.runtimes.images import Image, Shape

if TYPE_CHECKING:
    import pyarrow

# N rows, H height, W width, C channels

Text = str | tuple[str, str]
Example = Text | Image

_SHAPE = b"image_shape"  # key of a file's metadata: [H, W, C]


def key(example: Example) -> bytes:
    """16 bytes that an example is found by: equal for equal content alone."""
    if isinstance(example, Image):
        return digests.of_parts((repr(example.shape).encode(), example.data))
    return digests.of_texts(parts(example))


def same(example: Example) -> bytes:
    """16 bytes, equal for two rows that must not stand on both sides of a split."""
    return key(example) if isinstance(example, Image) else digests.of_texts(_normalized(example))


def _normalized(text: Text) -> tuple[str, ...]:
    """Case and white space do not make two texts different."""
    return tuple(" ".join(part.casefold().split()) for part in parts(text))


def parts(example: Example) -> tuple[str, ...]:
    """The one text, or the two."""
    assert not isinstance(example, Image), "rows are of one kind"
    return (example,) if isinstance(example, str) else example


def singles(examples: Sequence[Example]) -> Sequence[str]:
    """Pairs taken apart: the strings that a vocabulary is made for. Images have none."""
    return () if not examples or isinstance(examples[0], Image) else _Singles(examples)


class _Singles(Lazy[str]):
    def __init__(self, texts: Sequence[Example]) -> None:
        self._texts = texts
        self._parts = len(parts(texts[0]))

    def __len__(self) -> int:
        return self._parts * len(self._texts)

    def at(self, position: int) -> str:
        row, part = divmod(position, self._parts)
        return parts(self._texts[row])[part]

    def __iter__(self) -> Iterator[str]:
        return (part for text in self._texts for part in parts(text))


def schema(*, is_pair: bool, image_shape: Shape | None) -> "pyarrow.Schema":
    """Columns ``text`` and, for pairs, ``text_pair``; or ``image``, its shape in the metadata."""
    import pyarrow

    if image_shape is not None:
        H, W, C = image_shape
        pixels = pyarrow.schema([("image", pyarrow.binary(H * W * C))])
        return pixels.with_metadata({_SHAPE: json.dumps([H, W, C])})
    names = ["text", "text_pair"] if is_pair else ["text"]
    return pyarrow.schema([(name, pyarrow.string()) for name in names])


def schema_like(example: Example) -> "pyarrow.Schema":
    """The schema of all rows that are of the same kind as this one."""
    return schema(
        is_pair=isinstance(example, tuple),
        image_shape=example.shape if isinstance(example, Image) else None,
    )


def columns(examples: Sequence[Example], schema: "pyarrow.Schema") -> "list[pyarrow.Array]":
    """Their values, a column after the other."""
    import pyarrow

    values = (
        [[one.data for one in examples if isinstance(one, Image)]]
        if _SHAPE in (schema.metadata or {})
        else list(zip(*map(parts, examples), strict=True)) or [()] * len(schema)
    )
    return [pyarrow.array(*each) for each in zip(values, schema.types, strict=True)]


def stored(table: "pyarrow.Table") -> Lazy[Example]:
    """The examples in such columns; others beside them are not looked at.

    Read where they are looked at: from disk, where the table is memory-mapped.
    """
    shape = (table.schema.metadata or {}).get(_SHAPE)
    if shape is None:
        return _Texts([table[name] for name in ("text", "text_pair") if name in table.column_names])
    return Joined(*(_Images(chunk, json.loads(shape)) for chunk in table["image"].chunks))


class _Texts(Lazy[Example]):
    def __init__(self, columns: "Sequence[pyarrow.ChunkedArray]") -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def at(self, position: int) -> Example:
        return next(self.stretch(position, position + 1))

    def stretch(self, start: int, stop: int) -> Iterator[Example]:
        values = [column.slice(start, stop - start).to_pylist() for column in self._columns]
        return iter(values[0]) if len(values) == 1 else zip(*values, strict=True)


class _Images(Lazy[Example]):
    def __init__(self, chunk: "pyarrow.FixedSizeBinaryArray", shape: Shape) -> None:
        size = int(np.prod(shape))
        flat: NDArray[np.uint8] = np.frombuffer(
            chunk.buffers()[1], dtype=np.uint8, count=len(chunk) * size, offset=chunk.offset * size
        )
        self._pixels = flat.reshape(len(chunk), *shape)  # (N, H, W, C)

    def __len__(self) -> int:
        return len(self._pixels)

    def at(self, position: int) -> Example:
        return Image(self._pixels[position])
