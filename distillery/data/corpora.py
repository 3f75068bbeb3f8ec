"""Rows without labels, as many as a disk holds: written as they come, read memory-mapped."""

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from distillery import storage
from distillery.data import examples
from distillery.data.examples import Example
from distillery.data.lazy import Lazy
from distillery.nouns import Corpus
from distillery.runtimes.images import Shape

if TYPE_CHECKING:
    import pyarrow

SHARD_ROWS = 100_000  # of a file
_BATCH_ROWS = 10_000  # held while writing


def store(
    texts: Iterable[Example], *, is_pair: bool, image_shape: Shape | None = None, origin: str
) -> Corpus:
    """Write them in files of ``SHARD_ROWS``; equal rows in an equal order get an equal digest."""
    schema = examples.schema(is_pair=is_pair, image_shape=image_shape)
    waiting = iter(texts)
    rows = shard = 0
    with storage.new_folder() as folder:
        for first in waiting:
            of_shard = chain((first,), islice(waiting, SHARD_ROWS - 1))
            rows += write(folder / f"{shard:05d}.arrow", of_shard, schema)
            shard += 1
        if not shard:
            write(folder / f"{shard:05d}.arrow", (), schema)
        artifact = storage.put(folder, "corpus")
    return Corpus(
        artifact=artifact, rows=rows, is_pair=is_pair, image_shape=image_shape, origin=origin
    )


def read(corpus: Corpus) -> Lazy[Example]:
    """The rows of a stored corpus."""
    return opened(*sorted(storage.fetch(corpus.artifact).glob("*.arrow")))


def write(path: Path, texts: Iterable[Example], schema: "pyarrow.Schema") -> int:
    """One Arrow file; how many rows they were."""
    import pyarrow

    waiting, rows = iter(texts), 0
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, schema) as writer:
        while batch := list(islice(waiting, _BATCH_ROWS)):
            arrays = examples.columns(batch, schema)
            writer.write(pyarrow.record_batch(arrays, schema=schema))
            rows += len(batch)
    return rows


def opened(*paths: Path) -> Lazy[Example]:
    """The rows of such files, one file after the other."""
    import pyarrow

    tables = [pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all() for path in paths]
    return examples.stored(pyarrow.concat_tables(tables))
