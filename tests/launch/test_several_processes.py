"""Two processes, two machines, or two parts of a step: the student that one process makes alone."""

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from export import tiny
from torch import Tensor
from transformers import set_seed

from distillery import checkpoints, storage
from distillery.data import corpora, preparation
from distillery.data.examples import singles
from distillery.errors import UserError
from distillery.launch import launching
from distillery.launch.jobs import AnyJob, Distil
from distillery.nouns import Checkpoint, Epoch
from distillery.objectives.base import Training
from distillery.objectives.soft_targets import SoftTargets
from distillery.objectives.tinybert_layers import TinyBertLayers
from distillery.recipe import Data, Launcher
from distillery.signals import soft_labels as cache
from distillery.students.narrow import Narrow
from distillery.teachers.pretrained import Pretrained
from distillery.training import distillation

pytestmark = pytest.mark.slow

_TOLERANCE = 1e-4
_TRAINING = Training(epochs=2, batch_size=8, learning_rate=2e-3, patience_epochs=2)
# so long that it is not over by the time that a kill in it is noticed
_LONGER = Training(epochs=12, batch_size=8, learning_rate=1e-3, patience_epochs=12)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distil]:
    """A narrower student: layers under learned projections, then soft targets and hard labels.

    Half of the rows have no label, and neither stage's rows fill the last step. No dropout.
    """
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLERY_STORAGE", str(folder / "store"))
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        lines = ["text,label"] + [
            f"{text} {word},{word}"
            for text in tiny.TEXTS[:12]
            for word in ("money", "bank", "weather")
        ]
        (folder / "rows.csv").write_text("\n".join(dict.fromkeys(lines)))
        data = Data(source=str(folder / "rows.csv"))
        dataset = preparation.store(preparation.load(data), data, "toy")
        source = Pretrained(
            source=str(tiny.save_checkpoint(folder / "encoder", dropout=0.0)),
            max_length=24,
            training=_TRAINING,
        )
        teacher = distillation.fine_tune(
            source, dataset, name="teacher", seed=1, work=storage.work("t"), on_epoch=_unheard
        )
        corpus = corpora.store(
            [f"please {text}" for text in tiny.TEXTS[:30]], is_pair=False, origin="made up"
        )
        texts, _ = preparation.read(dataset, "train")
        assert len(texts) % 8
        assert (len(texts) + 30) % 8
        student = Narrow(
            name="narrow",
            layers=1,
            hidden_size=16,
            heads=4,
            intermediate_size=24,
            task=(
                TinyBertLayers(training=_TRAINING),
                SoftTargets(weight_ce=1.0, rows="augmented", training=_LONGER),
            ),
        )
        yield Distil(
            student=student,
            teacher=teacher,
            soft_labels=(
                cache.compute(teacher, texts, dataset.digest),
                cache.compute(teacher, corpora.read(corpus), corpus.digest),
            ),
            dataset=dataset,
            corpus=corpus,
            start=None,
            role="student",
            seed=3,
        )


@pytest.fixture(scope="module")
def alone(job: Distil) -> Checkpoint:
    return launching.carry_out(
        job, Launcher(), work=storage.work("distil-alone"), on_epoch=_unheard
    )


@pytest.fixture(scope="module")
def together(job: Distil) -> Checkpoint:
    heard: list[Epoch] = []
    checkpoint = launching.carry_out(
        job, Launcher(processes=2), work=storage.work("distil-both"), on_epoch=heard.append
    )
    assert tuple(heard) == checkpoint.history, "told while it ran, each once and in order"
    assert not (storage.root() / "work" / "distil-both").exists()
    return checkpoint


def test_two_processes_make_the_student_of_one(
    job: Distil, alone: Checkpoint, together: Checkpoint
) -> None:
    set_seed(job.seed)
    texts, _ = preparation.read(job.dataset, "train")
    start = job.student.build(
        checkpoints.load(job.teacher.members[0]),
        texts=singles(texts),
        is_pair=False,
    )
    moved = _distance(start.model.state_dict(), _weights(alone))
    assert moved > 100 * _TOLERANCE
    assert _distance(_weights(together), _weights(alone)) < _TOLERANCE
    for own, other in zip(together.history, alone.history, strict=True):
        assert own.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        assert own.validation_accuracy == other.validation_accuracy


def test_a_step_in_two_parts_is_the_same_step(job: Distil, alone: Checkpoint) -> None:
    halved = tuple(
        stage.model_copy(
            update={"training": stage.training.model_copy(update={"gradient_accumulation": 2})}
        )
        for stage in job.student.task
    )
    student = job.student.model_copy(update={"task": halved})
    accumulated = launching.carry_out(
        job.model_copy(update={"student": student}),
        Launcher(),
        work=storage.work("distil-parts"),
        on_epoch=_unheard,
    )
    assert _distance(_weights(accumulated), _weights(alone)) < _TOLERANCE
    for own, other in zip(accumulated.history, alone.history, strict=True):
        assert own.train_loss == pytest.approx(other.train_loss, rel=1e-4)


_KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from distillery import storage
    from distillery.launch import launching
    from distillery.launch.jobs import AnyJob
    from distillery.recipe import Launcher
    def on_epoch(epoch):
        if epoch.epoch == 3:
            os.kill(os.getpid(), signal.SIGKILL)
    launching.carry_out(
        AnyJob.validate_json(sys.argv[1]), Launcher(processes=2),
        work=storage.work("distil-killed"), on_epoch=on_epoch)
    """
)


def test_a_killed_launcher_leaves_nobody_behind_and_is_resumed(
    job: Distil, together: Checkpoint
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, job.model_dump_json()], check=False, capture_output=True
    )
    assert killed.returncode == -9, killed.stderr[-2000:]
    _until(lambda: not _launched(), seconds=10)
    seen: list[float] = []
    resumed = launching.carry_out(
        job,
        Launcher(processes=2),
        work=storage.work("distil-killed"),
        on_epoch=lambda epoch: seen.append(epoch.epoch),
    )
    assert seen, "it was over before the kill was noticed"
    assert seen == [float(epoch) for epoch in range(15 - len(seen), 15)]
    assert seen[0] >= 3, "epochs 1 and 2 must not be repeated"
    assert _distance(_weights(resumed), _weights(together)) < 1e-6


def test_what_was_finished_by_orphans_is_taken(job: Distil, alone: Checkpoint) -> None:
    """The launcher died between its processes' last word and its own."""
    folder = storage.work("distil-finished") / "launch"
    folder.mkdir()
    (folder / launching.JOB).write_text(job.model_dump_json())
    (folder / launching.RESULT).write_text(alone.model_dump_json())
    found = launching.carry_out(job, Launcher(processes=2), work=folder.parent, on_epoch=_unheard)
    assert found == alone


def test_whoever_is_interrupted_ends_those_it_launched(job: Distil) -> None:
    class InterruptedError(Exception):
        pass

    def interrupt(epoch: Epoch) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        launching.carry_out(
            job, Launcher(processes=2), work=storage.work("distil-stopped"), on_epoch=interrupt
        )
    _until(lambda: not _launched(), seconds=10)


def test_what_fails_in_a_process_is_one_line(job: Distil) -> None:
    lost = job.dataset.model_copy(
        update={"artifact": job.dataset.artifact.model_copy(update={"uri": "artifacts/no/where"})}
    )
    with pytest.raises(UserError) as told:
        launching.carry_out(
            job.model_copy(update={"dataset": lost}),
            Launcher(processes=2),
            work=storage.work("distil-lost"),
            on_epoch=_unheard,
        )
    line = str(told.value)
    assert "\n" not in line
    assert "training in 2 processes failed: DamagedArtifactError: the artifact " in line
    log = Path(line.split("is in ")[1].removesuffix(")"))
    assert "Traceback" in log.read_text()
    assert not _launched()


def test_two_machines_make_the_student_of_one(
    job: Distil, alone: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("DISTILLERY_RENDEZVOUS", f"127.0.0.1:{port}")
    other = subprocess.Popen([sys.executable, "-c", "from flows.cli import app; app(['join'])"])
    try:
        checkpoint = launching.carry_out(
            job, Launcher(nodes=2), work=storage.work("distil-nodes"), on_epoch=_unheard
        )
    finally:
        other.terminate()
        other.wait()
    assert _distance(_weights(checkpoint), _weights(alone)) < _TOLERANCE
    assert not (storage.root() / "launch.json").exists()
    _until(lambda: not _launched(), seconds=10)


def test_a_job_is_what_its_json_says(job: Distil) -> None:
    control = job.model_copy(update={"student": job.student.as_control(), "role": "control"})
    for one in (job, control):
        assert AnyJob.validate_json(one.model_dump_json()) == one


def _unheard(epoch: Epoch) -> None:
    """Nobody asked."""


def _weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return checkpoints.load(checkpoint).model.state_dict()


def _distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """The largest of any weight, but for the keys' biases.

    A softmax does not see them: their gradient is rounding noise, which Adam scales up to a step.
    """
    assert one.keys() == other.keys()
    return max(
        float(torch.dist(one[name].float(), other[name].float(), p=float("inf")))
        for name in one
        if not name.endswith("key.bias")
    )


def _launched() -> list[int]:
    """Processes of this test's storage that still train."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        arguments = process.info["cmdline"] or []
        mine = any(part.startswith(os.environ["DISTILLERY_STORAGE"]) for part in arguments)
        if (
            mine
            and "distillery.launch.launched" in arguments
            and process.info["status"] != "zombie"
        ):
            found.append(process.pid)
    return found


def _until(true: "object", *, seconds: float) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "still there"
        time.sleep(0.2)
