"""Training resumes exactly, keeps the best epoch, and really learns."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from distillery import preparation, storage
from distillery.nouns import Dataset, Epoch
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


@pytest.mark.slow
def test_a_killed_training_resumes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(tmp_path / "store"))
    from distillery import distillation

    dataset = _dataset(tmp_path)
    whole = distillation.fine_tune(
        _TEACHER, dataset, seed=3, work=storage.work("whole"), on_epoch=lambda _: None
    )

    script = textwrap.dedent(
        """
        import os, signal, sys
        from distillery import distillation, storage
        from distillery.nouns import Dataset
        from distillery.teachers.from_scratch import FromScratch
        def die(epoch):
            if epoch.epoch == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        teacher = FromScratch.model_validate_json(sys.argv[1])
        dataset = Dataset.model_validate_json(sys.argv[2])
        work = storage.work("cut")
        distillation.fine_tune(teacher, dataset, seed=3, work=work, on_epoch=die)
        """
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, _TEACHER.model_dump_json(), dataset.model_dump_json()],
        # a sum split among other threads rounds otherwise, and Adam makes much of little
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    seen: list[Epoch] = []
    resumed = distillation.fine_tune(
        _TEACHER, dataset, seed=3, work=storage.work("cut"), on_epoch=seen.append
    )
    assert [epoch.epoch for epoch in seen] == [3, 4], "epochs 1 and 2 must not be repeated"
    # equal but for the last bits, which a math library may round otherwise in another process
    for one, other in zip(resumed.history, whole.history, strict=True):
        assert one.model_dump() == pytest.approx(other.model_dump(), rel=1e-3)
    resumed_weights, whole_weights = (
        load_file(storage.fetch(checkpoint.artifact) / "model.safetensors")
        for checkpoint in (resumed, whole)
    )
    assert resumed_weights.keys() == whole_weights.keys()
    for name, weight in whole_weights.items():
        np.testing.assert_allclose(resumed_weights[name], weight, atol=2e-3, err_msg=name)


def test_a_torn_checkpoint_is_not_resumed_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(tmp_path / "store"))
    from distillery import distillation

    dataset = _dataset(tmp_path)
    work = storage.work("torn")
    torn = work / "stage-0" / "checkpoint-999"
    torn.mkdir(parents=True)
    (torn / "model.safetensors").write_bytes(b"half")
    seen: list[Epoch] = []
    checkpoint = distillation.fine_tune(_TEACHER, dataset, seed=3, work=work, on_epoch=seen.append)
    assert len(seen) == 4
    assert checkpoint.history[-1].validation_accuracy > 0.9, "three words tell the labels apart"
    assert (
        checkpoint.best_epoch
        == max(
            checkpoint.history, key=lambda epoch: (epoch.validation_accuracy, -epoch.epoch)
        ).epoch
    )
