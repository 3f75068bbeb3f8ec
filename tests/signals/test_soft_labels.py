"""The cached signal is the teacher's own, however the rows are shuffled, or it is refused."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from distillery import checkpoints, preparation, storage
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
    from distillery import distillation

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
    assert np.allclose(cached.numpy(), live, atol=1e-4)
    assert not cached.requires_grad


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
    stored = load_file(storage.fetch(soft_labels.artifact) / "soft_labels.safetensors")
    with storage.new_folder() as folder:
        permuted = np.ascontiguousarray(stored["logits"][:, ::-1])
        save_file({"keys": stored["keys"], "logits": permuted}, folder / "soft_labels.safetensors")
        artifact = storage.put(folder, "soft-labels")
    texts, _ = preparation.read(dataset, "train")
    with pytest.raises(DamagedArtifactError, match="differ from the teacher"):
        cache.cached([soft_labels.model_copy(update={"artifact": artifact})], teacher, texts)
