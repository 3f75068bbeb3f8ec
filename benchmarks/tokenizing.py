"""One text to token ids: the Rust tokenizer, and looking its words up.

    python benchmarks/tokenizing.py TOKENIZER.json TEXTS.parquet [--column text]

Both read the same texts, in alternating rounds; what the look-up leaves to the tokenizer is counted
with it. Why ``distillery/runtimes/word_memo.py`` is there.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
from tokenizers import Tokenizer

from distillery.runtimes.word_memo import WordMemo

_ROUNDS = 5
_LONGEST = 128


def main() -> None:
    """Print the median time of each, and how many texts the look-up answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--column", default="text")
    asked = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(asked.tokenizer))
    tokenizer.no_padding()
    tokenizer.enable_truncation(_LONGEST)
    memo = WordMemo.of(asked.tokenizer, tokenizer, _LONGEST)
    if memo is None:
        raise SystemExit(f"{asked.tokenizer} does not split word by word as BERT's does")
    texts = pyarrow.parquet.read_table(asked.texts)[asked.column].to_pylist()
    ways: dict[str, Callable[[str], list[int]]] = {
        "tokenizer": lambda text: list(tokenizer.encode(text).ids),
        "look-up": lambda text: memo.ids(text) or list(tokenizer.encode(text).ids),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            for text in texts:
                started = time.perf_counter()
                way(text)
                seconds[name].append(time.perf_counter() - started)
    medians = {name: 1e6 * statistics.median(found) for name, found in seconds.items()}
    for name, median in medians.items():
        print(f"{name:10} {median:6.2f} µs")
    looked_up = sum(memo.ids(text) is not None for text in texts)
    slow, quick = medians.values()
    print(f"ratio {slow / quick:.1f}; looked up {looked_up:,} of {len(texts):,} texts")


if __name__ == "__main__":
    main()
