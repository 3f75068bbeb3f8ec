"""Corpora in bounded files: what comes back, and how much of it is ever in memory."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pictures
import pyarrow
import pytest
from export import tiny

from distillery import storage
from distillery.data import corpora
from distillery.data.examples import Example, Text, schema_like, singles, stored
from distillery.nouns import Corpus
from distillery.runtimes.images import Image
from distillery.training.encoding import Pixels

pytestmark = pytest.mark.usefixtures("storage_root")

_TEXTS: list[Text] = [f"text {i}" for i in range(25)]
_IMAGES: list[Example] = [*pictures.pictures(25, channels=3)[0]]
_PAIRS: list[Text] = [(f"first {i}", f"second {i}") for i in range(25)]


@pytest.mark.parametrize("texts", [_TEXTS, _PAIRS, _TEXTS[:1], []], ids=len)
def test_texts_come_back_in_order_from_bounded_files(
    texts: list[Text], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpora, "SHARD_ROWS", 10)
    monkeypatch.setattr(corpora, "_BATCH_ROWS", 4)
    corpus = corpora.store(iter(texts), is_pair=texts == _PAIRS, origin="made up")
    assert corpus.rows == len(texts)
    found = corpora.read(corpus)
    assert list(found) == texts
    assert [found[i] for i in range(len(found))] == texts
    assert list(found[3:17]) == texts[3:17]
    assert list(singles(found)) == preparation_of_old(texts)
    files = sorted(_files(corpus))
    assert [len(corpora.opened(file)) for file in files] == [
        min(10, len(texts) - start) for start in range(0, max(1, len(texts)), 10)
    ]


def _files(corpus: Corpus) -> list[Path]:
    return list(storage.fetch(corpus.artifact).iterdir())


def preparation_of_old(texts: list[Text]) -> list[str]:
    """Pairs taken apart, by hand."""
    return [part for text in texts for part in ((text,) if isinstance(text, str) else text)]


def test_images_come_back_from_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "SHARD_ROWS", 10)
    monkeypatch.setattr(corpora, "_BATCH_ROWS", 4)
    corpus = corpora.store(iter(_IMAGES), is_pair=False, image_shape=(8, 8, 3), origin="made up")
    assert (corpus.rows, corpus.image_shape) == (25, (8, 8, 3))
    found = corpora.read(corpus)
    assert list(found) == _IMAGES
    assert [found[i] for i in range(25)] == _IMAGES
    assert list(found[3:17]) == _IMAGES[3:17]
    assert not singles(found)
    assert [len(corpora.opened(file)) for file in sorted(_files(corpus))] == [10, 10, 5]
    empty = corpora.store((), is_pair=False, image_shape=(8, 8, 3), origin="none were kept")
    assert list(corpora.read(empty)) == []


def test_no_pixel_is_read_before_it_is_looked_at() -> None:
    generator = np.random.default_rng(1)
    images = [Image(generator.integers(0, 256, (64, 64), dtype=np.uint8)) for _ in range(500)]
    corpus = corpora.store(images, is_pair=False, image_shape=(64, 64, 1), origin="made up")
    before = pyarrow.total_allocated_bytes()
    rows = Pixels(corpora.read(corpus))
    assert pyarrow.total_allocated_bytes() - before < 500 * 64 * 64 / 10
    once, again = rows[300]["pixel_values"], rows[300]["pixel_values"]
    assert np.shares_memory(once, again), "the file's own pages, not a copy"
    assert np.array_equal(once, images[300].pixels.transpose(2, 0, 1))


def test_part_of_a_file_is_read_from_where_it_starts(tmp_path: Path) -> None:
    """An Arrow slice shares its whole's buffer."""
    corpora.write(tmp_path / "rows.arrow", _IMAGES, schema_like(_IMAGES[0]))
    with pyarrow.memory_map(str(tmp_path / "rows.arrow")) as file:
        table = pyarrow.ipc.open_file(file).read_all()
        assert list(stored(table.slice(7, 5))) == _IMAGES[7:12]


def test_equal_texts_have_an_equal_digest_and_others_do_not() -> None:
    one = corpora.store(_TEXTS, is_pair=False, origin="a")
    assert corpora.store(iter(_TEXTS), is_pair=False, origin="b").digest == one.digest
    assert corpora.store(_TEXTS[::-1], is_pair=False, origin="a").digest != one.digest


_IN_ANOTHER_PROCESS = """
import json, sys, threading, time
from pathlib import Path

def anonymous_bytes():  # what the process holds itself; pages of mapped files are not its own
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024

peak = 0
def watch():
    global peak
    while True:
        peak = max(peak, anonymous_bytes())
        time.sleep(0.002)

from distillery import checkpoints
from distillery.data import corpora
from distillery.augmentation.unlabelled import Unlabelled
from distillery.training.encoding import collator_of
from distillery.training.stages import Split, _encoded

source, folder, work, *sizes = sys.argv[1:]
loaded = checkpoints.load_folder(Path(folder))

def all_of_it(rows):
    text = Unlabelled(source=source, max_rows=int(rows))
    corpus = corpora.store(text.texts(seed=1), is_pair=False, origin="")
    texts = corpora.read(corpus)
    split = Split(texts=texts[: len(texts) - 9], labels=[-100] * (len(texts) - 9))
    encoded = _encoded(loaded, split, 64, Path(work))
    longest = max(len(row["input_ids"]) for row in encoded)  # as the sampler does
    batch = collator_of(loaded)([encoded[i] for i in range(0, len(encoded), len(encoded) // 32)])
    return corpus.rows, longest, len(batch["labels"])

all_of_it(100)  # what libraries load at their first call
threading.Thread(target=watch, daemon=True).start()
for rows in sizes:
    peak = before = anonymous_bytes()
    found = all_of_it(rows)
    print(json.dumps([peak - before, *found]), flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path, storage_root: Path) -> None:
    folder = tiny.save_checkpoint(tmp_path / "model")
    words = "move my money to the bank now please weather " * 4
    with (tmp_path / "rows.csv").open("w") as file:
        file.write("text\n")
        file.writelines(f"{words}{i}\n" for i in range(60_000))

    done = subprocess.run(
        [
            *(sys.executable, "-c", _IN_ANOTHER_PROCESS, str(tmp_path / "rows.csv")),
            *(str(folder), str(tmp_path / "work"), "6000", "60000"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    (few, *of_few), (many, *of_many) = map(json.loads, done.stdout.splitlines()[-2:])
    assert of_few[:2] == [6000, 39]
    assert of_many[:2] == [60_000, 39]
    as_lists = 60_000 * (len(words) + 3 * 39 * 8)  # the texts, and three lists of tokens
    assert max(few, many) < as_lists / 2
