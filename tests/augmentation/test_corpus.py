"""Shards are kept and used again; nothing twice, nothing that is held out."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from export import tiny

from distillery.augmentation import base
from distillery.augmentation.base import Augmentation
from distillery.augmentation.corpus import Augmented, augment
from distillery.augmentation.masked_words import MaskedWords
from distillery.augmentation.tang_rules import TangRules
from distillery.data.examples import Example, Text, parts, same
from distillery.teachers.base import LoadedModel

_TEXTS: list[Text] = list(dict.fromkeys(tiny.TEXTS))
_BOTH = (TangRules(variants_per_text=4), MaskedWords(variants_per_text=4, candidates=3))


def _augment(
    work: Path,
    teacher: LoadedModel,
    *,
    texts: list[Text] = _TEXTS,
    held_out: tuple[Example, ...] = (),
    augmentations: tuple[Augmentation, ...] = _BOTH,
    seed: int = 5,
) -> Augmented:
    found = augment(augmentations, texts, held_out, teacher=teacher, seed=seed, work=work)
    return Augmented(texts=list(found.texts), made=found.made)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "SHARD_ROWS", 7)


def test_the_same_again_from_what_is_kept(tmp_path: Path, teacher: LoadedModel) -> None:
    first = _augment(tmp_path / "work", teacher)
    assert first == _augment(tmp_path / "work", teacher)
    assert first == _augment(tmp_path / "elsewhere", teacher)
    assert first.texts != _augment(tmp_path / "work", teacher, seed=6).texts


def test_killed_half_way_the_result_is_the_same(
    tmp_path: Path, teacher: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _augment(tmp_path, teacher)
    shards = sorted(tmp_path.rglob("*.arrow"))
    assert len(shards) == 2 * -(-len(_TEXTS) // 7)
    untouched = {path: path.stat().st_mtime_ns for path in shards[1::2]}
    for path in shards[::2]:
        path.unlink()
    damaged = shards[1]
    damaged.write_bytes(damaged.read_bytes()[:-40])  # cut short
    other = shards[3]
    other.write_bytes(other.read_bytes().replace(b"move", b"stay"))  # changed, and still texts
    (shards[0].parent / "000000.999").write_bytes(b"ARROW1")  # what a killed process left behind
    assert _augment(tmp_path, teacher) == whole
    for path, written in untouched.items():
        assert (path.stat().st_mtime_ns == written) == (path not in (damaged, other))
    # all finished: neither a model is loaded nor a word counted
    monkeypatch.setattr(TangRules, "rewriter", None)
    monkeypatch.setattr(MaskedWords, "rewriter", None)
    assert _augment(tmp_path, teacher) == whole


def test_a_real_kill(tmp_path: Path, teacher: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _augment(tmp_path / "whole", teacher)
    written = 0
    really = os.fsync

    def dies(handle: int) -> None:
        nonlocal written
        written += 1
        if written == 3:
            raise KeyboardInterrupt
        really(handle)

    monkeypatch.setattr(os, "fsync", dies)
    with pytest.raises(KeyboardInterrupt):
        _augment(tmp_path / "killed", teacher)
    assert len(list((tmp_path / "killed").rglob("*.arrow"))) == 2
    assert _augment(tmp_path / "killed", teacher) == whole


def test_shards_of_other_settings_are_not_used(tmp_path: Path, teacher: LoadedModel) -> None:
    _augment(tmp_path, teacher)
    other = (TangRules(variants_per_text=4, mask_probability=0.3),)
    assert _augment(tmp_path, teacher, augmentations=other) == _augment(
        tmp_path / "new", teacher, augmentations=other
    )
    fewer = _augment(tmp_path, teacher, texts=_TEXTS[:-1])
    assert fewer == _augment(tmp_path / "fewer", teacher, texts=_TEXTS[:-1])


def test_no_text_twice_and_none_of_the_originals(tmp_path: Path, teacher: LoadedModel) -> None:
    found = _augment(tmp_path, teacher)
    folded = [same(text) for text in found.texts]
    assert len(set(folded)) == len(folded)
    assert not set(folded) & {same(text) for text in _TEXTS}
    for made in found.made:
        assert made.made == 4 * len(_TEXTS)
        assert made.made == made.kept + made.leaks_dropped + made.duplicates_dropped
        assert made.duplicates_dropped > 0
    assert sum(made.kept for made in found.made) == len(found.texts)
    assert [made.kind for made in found.made] == ["tang_rules", "masked_words"]


def test_no_held_out_text_comes_in(tmp_path: Path, teacher: LoadedModel) -> None:
    free = _augment(tmp_path / "free", teacher)
    # in other case and spacing
    secret = [f"  {str(text).upper()} ".replace(" ", "  ") for text in free.texts[::3]]
    clean = _augment(tmp_path / "clean", teacher, held_out=tuple(secret))
    assert clean.texts == [text for i, text in enumerate(free.texts) if i % 3]
    assert sum(made.leaks_dropped for made in clean.made) >= len(secret)


def test_pairs(tmp_path: Path, teacher: LoadedModel) -> None:
    pairs: list[Text] = [(str(a), str(b)) for a, b in itertools.pairwise(_TEXTS)]
    free = _augment(tmp_path / "free", teacher, texts=pairs)
    assert all(isinstance(text, tuple) for text in free.texts)
    assert free == _augment(tmp_path / "free", teacher, texts=pairs)  # from what is kept
    masked = _augment(tmp_path / "masked", teacher, texts=pairs, augmentations=_BOTH[1:])
    firsts, seconds = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    # one side is always an original; never both changed
    assert all(first in firsts or second in seconds for first, second in map(parts, masked.texts))
    secret = free.texts[0]
    assert secret not in _augment(tmp_path / "l", teacher, texts=pairs, held_out=(secret,)).texts


_IN_ANOTHER_PROCESS = """
import json, sys
from pathlib import Path
from distillery import checkpoints
from distillery.augmentation import base
from distillery.augmentation.corpus import augment
from distillery.augmentation.masked_words import MaskedWords
from distillery.augmentation.tang_rules import TangRules
base.SHARD_ROWS = 7
work, folder, masked_lm, texts = sys.argv[1:]
found = augment(
    (TangRules(variants_per_text=4),
     MaskedWords(variants_per_text=4, candidates=3, masked_lm=masked_lm)),
    json.loads(texts), [], teacher=checkpoints.load_folder(Path(folder)), seed=5, work=Path(work),
)
print(json.dumps(list(found.texts)))
"""


@pytest.mark.slow
def test_two_processes_agree(tmp_path: Path, masked_lm: Path) -> None:
    folder = tiny.save_checkpoint(tmp_path / "teacher")
    found = []
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [
                *(sys.executable, "-c", _IN_ANOTHER_PROCESS),
                *(str(tmp_path / hash_seed), str(folder), str(masked_lm), json.dumps(_TEXTS)),
            ],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert found[0] == found[1]
    assert len(found[0]) > 50


def test_real_questions(tmp_path: Path, shared_data: Path, shared_models: Path) -> None:
    import pandas as pd
    from transformers import AutoModelForSequenceClassification

    from distillery.teachers import hub

    source = str(shared_models / "all-MiniLM-L6-v2")
    model = AutoModelForSequenceClassification.from_pretrained(source)
    real = LoadedModel(model=model, tokenizer=hub.tokenizer_of(source))
    train, test = (
        pd.read_parquet(shared_data / "clinc150" / f"{split}.parquet")["text"].tolist()
        for split in ("train", "test")
    )
    both = (MaskedWords(variants_per_text=5), TangRules(variants_per_text=5))
    found = _augment(tmp_path, real, texts=train[::500], held_out=tuple(test), augmentations=both)
    assert len(found.texts) > 5 * len(train[::500])
    assert not {same(text) for text in found.texts} & {same(text) for text in test}
