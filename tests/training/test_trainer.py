"""Training resumes exactly, keeps the best epoch, and really learns."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from distillery import digests, storage
from distillery.data import preparation
from distillery.nouns import Checkpoint, Dataset, Epoch
from distillery.recipe import Data
from distillery.teachers.from_scratch import FromScratch

_ROWS = [("red green", "colour"), ("one two", "number"), ("dog cat", "animal")]


def _dataset(folder: Path) -> Dataset:
    lines = ["text,label"]
    for i in range(120):
        text, label = _ROWS[i % 3]
        lines.append(f"{text} {i},{label}")
    (folder / "rows.csv").write_text("\n".join(lines))
    data = Data(source=str(folder / "rows.csv"))
    return preparation.store(preparation.load(data), data, "toy")


_TEACHER = FromScratch.model_validate(
    {
        "layers": 1,
        "hidden_size": 64,
        "heads": 2,
        "max_length": 16,
        "vocabulary_size": 120,
        "dropout": 0.0,
        "training": {"epochs": 4, "learning_rate": 2e-3, "batch_size": 4, "patience_epochs": 4},
    }
)


_SCRIPT = textwrap.dedent(
    """
    import os, signal, sys
    from distillery import storage
    from distillery.training import distillation
    from distillery.nouns import Dataset
    from distillery.teachers.from_scratch import FromScratch
    last = int(sys.argv[4])
    seen = []
    def on_epoch(epoch):
        seen.append(epoch.epoch)
        if epoch.epoch == last:
            os.kill(os.getpid(), signal.SIGKILL)
    teacher = FromScratch.model_validate_json(sys.argv[1])
    dataset = Dataset.model_validate_json(sys.argv[2])
    work = storage.work(sys.argv[3])
    checkpoint = distillation.fine_tune(
        teacher, dataset, name="teacher", seed=3, work=work, on_epoch=on_epoch)
    print(seen)
    print(checkpoint.model_dump_json())
    """
)


def _train(
    dataset: Dataset, work: str, *, killed_in_epoch: int = 0
) -> "subprocess.CompletedProcess[str]":
    """In a process of its own, as every real run is: equal but for the kill."""
    settings = [_TEACHER.model_dump_json(), dataset.model_dump_json(), work, str(killed_in_epoch)]
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT, *settings], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(tmp_path / "store"))
    dataset = _dataset(tmp_path)
    _, whole_json = _train(dataset, "whole").stdout.splitlines()
    killed = _train(dataset, "cut", killed_in_epoch=3)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    seen, resumed_json = _train(dataset, "cut").stdout.splitlines()
    assert seen == "[3.0, 4.0]", "epochs 1 and 2 must not be repeated"
    whole, resumed = (Checkpoint.model_validate_json(text) for text in (whole_json, resumed_json))
    assert resumed.history == whole.history
    weights = [
        digests.of_file(storage.fetch(checkpoint.artifact) / "model.safetensors")
        for checkpoint in (whole, resumed)
    ]
    assert weights[0] == weights[1]


def test_a_torn_checkpoint_is_not_resumed_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(tmp_path / "store"))
    from distillery.training import distillation

    dataset = _dataset(tmp_path)
    work = storage.work("torn")
    torn = work / "stage-0" / "checkpoint-999"
    torn.mkdir(parents=True)
    (torn / "model.safetensors").write_bytes(b"half")
    seen: list[Epoch] = []
    checkpoint = distillation.fine_tune(
        _TEACHER, dataset, name="teacher", seed=3, work=work, on_epoch=seen.append
    )
    assert len(seen) == 4
    assert (checkpoint.history[-1].validation_accuracy or 0) > 0.9, (
        "three words tell the labels apart"
    )
    assert (
        checkpoint.best_epoch
        == max(
            checkpoint.history, key=lambda epoch: (epoch.validation_accuracy or 0, -epoch.epoch)
        ).epoch
    )
