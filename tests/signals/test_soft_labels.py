"""The cached signal is the teacher's own, however the rows are shuffled, or it is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillery import checkpoints, storage
from distillery.data import preparation
from distillery.errors import DamagedArtifactError
from distillery.nouns import Checkpoint, Dataset, SoftLabels
from distillery.recipe import Data
from distillery.signals import soft_labels as cache
from distillery.teachers.from_scratch import FromScratch


@pytest.fixture
def taught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Dataset, Checkpoint, SoftLabels]:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(tmp_path / "store"))
    from distillery.training import distillation

    lines = ["text,label"] + [
        f"{word} {i},{word}" for i in range(20) for word in ("red", "one", "dog")
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    data = Data(source=str(tmp_path / "rows.csv"))
    dataset = preparation.store(preparation.load(data), data, "toy")
    source = FromScratch.model_validate(
        {
            "layers": 1,
            "hidden_size": 16,
            "heads": 2,
            "max_length": 16,
            "vocabulary_size": 80,
            "training": {"epochs": 1},
        }
    )
    teacher = distillation.fine_tune(
        source, dataset, name="teacher", seed=1, work=storage.work("t"), on_epoch=lambda _: None
    )
    texts, _ = preparation.read(dataset, "train")
    return dataset, teacher, cache.compute(teacher, texts, dataset.digest)


def test_rows_are_found_by_content_not_by_position(
    taught: tuple[Dataset, Checkpoint, SoftLabels],
) -> None:
    dataset, teacher, soft_labels = taught
    texts, _ = preparation.read(dataset, "train")
    shuffled = [texts[i] for i in np.random.default_rng(5).permutation(len(texts))]
    cached = cache.cached([soft_labels], teacher, shuffled)
    live = cache.live_logits(checkpoints.load(teacher), shuffled, teacher.max_length)
    assert np.allclose([cached.of(i) for i in range(len(texts))], live, atol=1e-4)
    rows = cache.of_all([soft_labels], teacher, shuffled)
    assert rows[3].shape == (1, len(dataset.label_names))
    assert not rows[3].requires_grad


def test_a_text_that_is_not_cached_is_refused(
    taught: tuple[Dataset, Checkpoint, SoftLabels],
) -> None:
    _, teacher, soft_labels = taught
    with pytest.raises(DamagedArtifactError, match="lack a training text"):
        cache.cached([soft_labels], teacher, ["never seen"])


def test_another_teachers_labels_are_refused(
    taught: tuple[Dataset, Checkpoint, SoftLabels],
) -> None:
    dataset, teacher, soft_labels = taught
    other = teacher.model_copy(
        update={"artifact": teacher.artifact.model_copy(update={"digest": "0" * 64})}
    )
    texts, _ = preparation.read(dataset, "train")
    with pytest.raises(DamagedArtifactError, match="another teacher"):
        cache.cached([soft_labels], other, texts)


def test_logits_that_are_not_the_teachers_are_refused_even_with_a_right_digest(
    taught: tuple[Dataset, Checkpoint, SoftLabels],
) -> None:
    dataset, teacher, soft_labels = taught
    stored = np.load(storage.fetch(soft_labels.artifact) / "00000.npy")
    stored["logits"] = stored["logits"][:, ::-1].copy()
    with storage.new_folder() as folder:
        np.save(folder / "00000.npy", stored)
        artifact = storage.put(folder, "soft-labels")
    texts, _ = preparation.read(dataset, "train")
    with pytest.raises(DamagedArtifactError, match="differ from the teacher"):
        cache.cached([soft_labels.model_copy(update={"artifact": artifact})], teacher, texts)


def _compute(
    teacher: Checkpoint, texts: Sequence[str], shard_rows: int, monkeypatch: pytest.MonkeyPatch
) -> SoftLabels:
    monkeypatch.setattr(cache, "SHARD_ROWS", shard_rows)
    return cache.compute(teacher, texts, "digest-of-texts")


def test_killed_half_way_the_finished_files_are_used_again(
    taught: tuple[Dataset, Checkpoint, SoftLabels], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, teacher, _ = taught
    texts = [f"red {i} or dog {i % 40}" for i in range(50)] * 2

    class Dies(list[str]):
        """Whoever reads it a second time, past its middle, is killed."""

        def __getitem__(self, index: Any) -> Any:
            if index == 30:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        _compute(teacher, Dies(texts), 8, monkeypatch)
    finished = sorted(storage.root().rglob("work/soft-labels-*/*.npy"))
    assert [path.name for path in finished] == ["00000.npy", "00001.npy", "00002.npy"]
    finished[1].write_bytes(finished[1].read_bytes()[:-40])  # as a full disk would leave it
    untouched = {path.name: path.stat().st_mtime_ns for path in (finished[0], finished[2])}
    found = _compute(teacher, texts, 8, monkeypatch)
    files = sorted(storage.fetch(found.artifact).iterdir())
    assert {path.name: path.stat().st_mtime_ns for path in files if path.name in untouched} == (
        untouched
    )
    assert (found.rows, found.classes, len(files)) == (50, 3, 7)
    assert max(len(np.load(path)) for path in files) == 8
    assert not finished[0].parent.exists()
    assert _compute(teacher, texts, 8, monkeypatch) == found, "as without a kill"
    in_one = _compute(teacher, texts, 1000, monkeypatch)
    both = [cache.of_all([one], teacher, texts) for one in (found, in_one)]
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(*both, strict=True))
