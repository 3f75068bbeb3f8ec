"""Texts without labels, as many as a disk holds: written as they come, read memory-mapped."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from distillery import storage
from distillery.data.lazy import Lazy
from distillery.data.preparation import Text
from distillery.nouns import Corpus

if TYPE_CHECKING:
    import pyarrow

SHARD_ROWS = 100_000  # of a file
_BATCH_ROWS = 10_000  # held while writing


class Texts(Lazy[Text]):
    """The texts of one or more Arrow files, read where they are looked at."""

    def __init__(self, table: "pyarrow.Table") -> None:
        """``table`` has a column ``text`` and, for pairs, ``text_pair``."""
        self._columns = table.columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def at(self, position: int) -> Text:
        """A string, or two."""
        return next(self._read(position, position + 1))

    def stretch(self, start: int, stop: int) -> Iterator[Text]:
        """Those in a row."""
        return self._read(start, stop)

    def _read(self, start: int, stop: int) -> Iterator[Text]:
        parts = [column.slice(start, stop - start).to_pylist() for column in self._columns]
        return iter(parts[0]) if len(parts) == 1 else zip(*parts, strict=True)


def store(texts: Iterable[Text], *, is_pair: bool, origin: str) -> Corpus:
    """Write them in files of ``SHARD_ROWS``; equal texts in an equal order get an equal digest."""
    waiting = iter(texts)
    rows = shard = 0
    with storage.new_folder() as folder:
        for first in waiting:
            of_shard = chain((first,), islice(waiting, SHARD_ROWS - 1))
            rows += write(folder / f"{shard:05d}.arrow", of_shard, is_pair=is_pair)
            shard += 1
        if not shard:
            write(folder / f"{shard:05d}.arrow", (), is_pair=is_pair)
        artifact = storage.put(folder, "corpus")
    return Corpus(artifact=artifact, rows=rows, is_pair=is_pair, origin=origin)


def read(corpus: Corpus) -> Texts:
    """The texts of a stored corpus."""
    return opened(*sorted(storage.fetch(corpus.artifact).glob("*.arrow")))


def write(path: Path, texts: Iterable[Text], *, is_pair: bool) -> int:
    """One Arrow file; how many texts they were."""
    import pyarrow

    names = ["text", "text_pair"] if is_pair else ["text"]
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    waiting, rows = iter(texts), 0
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, schema) as writer:
        while batch := list(islice(waiting, _BATCH_ROWS)):
            columns = zip(*batch, strict=True) if is_pair else [batch]
            arrays = [pyarrow.array(column, pyarrow.string()) for column in columns]
            writer.write(pyarrow.record_batch(arrays, schema=schema))
            rows += len(batch)
    return rows


def opened(*paths: Path) -> Texts:
    """The texts of such files, one file after the other."""
    import pyarrow

    tables = [pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all() for path in paths]
    return Texts(pyarrow.concat_tables(tables))
