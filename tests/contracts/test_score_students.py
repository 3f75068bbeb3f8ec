"""Scores instead of classes, really: trained, distilled, ONNX, int8, evaluated, served."""

import typing
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from distillery import evaluation, storage, tracking
from distillery.data import corpora, preparation
from distillery.data.examples import Text
from distillery.export import candidates, ensemble
from distillery.export.quantization.int8 import Int8
from distillery.nouns import Checkpoint, Dataset, Ensemble, SoftLabels, Teacher
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.logit_mse import LogitMse
from distillery.objectives.tinybert_layers import TinyBertLayers
from distillery.recipe import Data, Export
from distillery.registry import registration
from distillery.runtimes.opening import open_engine
from distillery.signals import soft_labels as cache
from distillery.students.base import Student
from distillery.students.bilstm import BiLstm
from distillery.students.from_layers import FromLayers
from distillery.teachers.classifier import Classifier
from distillery.teachers.from_scratch import FromScratch
from distillery.training import distillation

_QUICK = Training(epochs=4, batch_size=8, learning_rate=3e-3)
_TASK = (LogitMse(training=_QUICK),)
_EXPORT = Export(
    parity_rows=8, fp32_max_abs_logit_difference=1e-2, quantized_max_rank_disagreement=0.3
)
_STUDENTS = (
    BiLstm(
        name="recurrent",
        embedding_size=12,
        hidden_size=16,
        fully_connected_size=16,
        dropout=0,
        task=_TASK,
    ),
    FromLayers(name="one-layer", layers=(0,), task=_TASK),
    FromLayers(
        name="by-layers",
        layers=(0,),
        task=(TinyBertLayers(training=_QUICK), LogitMse(training=_QUICK)),
    ),
)
_WORDS = ("money", "bank", "weather", "please")


class World:
    """Graded pairs from 100 to 300, or single texts to 200; a teacher that has learned them."""

    def __init__(self, folder: Path, *, is_pair: bool) -> None:
        lines = ["text,text_pair,label"]
        for i in range(160):
            first, second = i % 4, i // 4 % 4 if is_pair else 0
            score = 100 + 100 * (first + second) / 3
            lines.append(f"{_WORDS[first]} {i},{_WORDS[second]} {i},{score}")
        (folder / "rows.csv").write_text("\n".join(lines))
        data = Data(
            source=str(folder / "rows.csv"),
            label_kind="score",
            text_pair="text_pair" if is_pair else None,
        )
        self.dataset: Dataset = preparation.store(preparation.load(data), data, "graded")
        self.texts, _ = preparation.read(self.dataset, "train")
        self.teacher = self.taught(seed=1)

    def taught(self, seed: int) -> Checkpoint:
        return distillation.fine_tune(
            FromScratch(
                layers=2,
                hidden_size=32,
                heads=4,
                max_length=16,
                vocabulary_size=200,
                dropout=0,
                training=Training(epochs=8, batch_size=4, learning_rate=2e-3, patience_epochs=8),
            ),
            self.dataset,
            name=f"teacher-{seed}",
            seed=seed,
            work=storage.work(f"teacher-{seed}"),
            on_epoch=lambda _: None,
        )

    def soft_labels(self, teacher: Teacher) -> list[SoftLabels]:
        return [cache.compute(one, self.texts, self.dataset.digest) for one in teacher.members]

    def distilled(
        self, student: Student, teacher: Teacher, role: typing.Literal["student", "control"]
    ) -> Checkpoint:
        return distillation.distill(
            student,
            teacher,
            self.soft_labels(teacher) if role == "student" else (),
            self.dataset,
            None,
            start=None,
            role=role,
            seed=1,
            work=storage.work(student.name),
            on_epoch=lambda _: None,
        )


@pytest.fixture(scope="module", params=[True, False], ids=["pairs", "singles"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLERY_STORAGE", str(tmp_path_factory.mktemp("store")))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield World(tmp_path_factory.mktemp("world"), is_pair=request.param)


def test_the_teacher_learns_scores_in_their_own_unit(world: World) -> None:
    history = world.teacher.history
    assert all(epoch.validation_accuracy is None for epoch in history)
    merits = {epoch.epoch: epoch.validation_merit for epoch in history}
    assert merits[world.teacher.best_epoch] == max(merits.values(), key=lambda one: one or -1)
    reference = candidates.pytorch_candidate(world.teacher, is_pair=world.dataset.is_pair)
    found = evaluation.evaluate(reference, world.dataset)
    assert found.accuracy is None
    assert found.merit > 0.6
    assert 90 < np.mean(found.predictions) < 310, "not in the unit it was learned in"
    assert np.std(found.predictions) > 10
    assert len(set(found.labels)) == (7 if world.dataset.is_pair else 4)


@pytest.mark.parametrize("student", _STUDENTS, ids=lambda one: one.name)
def test_students_through_onnx_and_int8(world: World, student: Student) -> None:
    distilled = world.distilled(student, world.teacher, "student")
    control = world.distilled(student.as_control(), world.teacher, "control")
    assert distilled.history[-1].validation_spearman is not None
    assert distilled.digest != control.digest
    texts, _ = preparation.read(world.dataset, "validation")
    for checkpoint in (distilled, control):
        fp32 = candidates.fp32_candidate(checkpoint, texts, _EXPORT, is_pair=world.dataset.is_pair)
        assert fp32.parity_failure is None
        assert [one.label_flip_rate for one in fp32.parities] == [None, None]
        int8 = candidates.quantized_candidate(fp32, Int8(), texts, texts, _EXPORT, ())
        assert all(one.rank_disagreement is not None for one in int8.parities)
        for candidate in (fp32, int8):
            quality = evaluation.evaluate(candidate, world.dataset)
            assert quality.label_kind == "score"
            assert len(quality.predictions) == world.dataset.test.rows
            assert 50 < np.mean(quality.predictions) < 350


def test_several_teachers_give_the_mean_of_their_scores(world: World) -> None:
    both = Ensemble(
        members=(world.teacher, world.taught(seed=2)), weights=(0.25, 0.75), mean="logits"
    )
    is_pair = world.dataset.is_pair
    texts, _ = preparation.read(world.dataset, "test")

    def said(folder: Path) -> typing.Any:
        return open_engine(folder, "pytorch").predict(texts)

    one, other = (
        said(storage.fetch(candidates.pytorch_candidate(member, is_pair=is_pair).artifact))
        for member in both.members
    )
    whole = ensemble.ensemble_candidate(both, is_pair=is_pair)
    np.testing.assert_allclose(
        said(storage.fetch(whole.artifact)), 0.25 * one + 0.75 * other, rtol=1e-4
    )
    distilled = world.distilled(_STUDENTS[1], both, "student")
    quality = evaluation.evaluate(
        candidates.pytorch_candidate(distilled, is_pair=is_pair), world.dataset
    )
    assert quality.merit > 0.3


def test_a_ready_scorer_is_taken_as_it_is(world: World) -> None:
    source = Classifier(
        source=str(storage.fetch(world.teacher.artifact)), label_names=("score",), max_length=16
    )
    source.check(world.dataset.label_names)
    taken = distillation.fine_tune(
        source,
        world.dataset,
        name="ready",
        seed=1,
        work=storage.work("ready"),
        on_epoch=lambda _: None,
    )
    one, other = (
        evaluation.evaluate(
            candidates.pytorch_candidate(of, is_pair=world.dataset.is_pair), world.dataset
        )
        for of in (world.teacher, taken)
    )
    assert one.predictions == other.predictions


def test_what_is_served_is_the_score(world: World) -> None:
    tracking.connect()
    is_pair = world.dataset.is_pair
    texts, _ = preparation.read(world.dataset, "validation")
    fp32 = candidates.fp32_candidate(world.teacher, texts, _EXPORT, is_pair=is_pair)
    quality = evaluation.evaluate(fp32, world.dataset)
    tracking.open_flow_run("graded", "flow-1", {})
    with tracking.step_run("flow-1", "register") as step:
        (version,) = registration.register(
            [fp32],
            [quality],
            [],
            model="graded",
            origin=registration.Origin(
                flow_run_id="flow-1",
                tracking_run_id=step.run_id,
                code_version="1",
                dataset_digest=world.dataset.digest,
                recipe_digest="r",
            ),
            step=step,
        )
    tags = tracking.tags_of(version)
    assert tags["distillery.spearman"] == f"{quality.spearman:.4f}"
    described = MlflowClient().get_model_version("graded", version.version).description
    assert str(described).startswith(f"{fp32.name}: Spearman {quality.spearman:.4f}, ")
    assert "distillery.accuracy" not in tags
    asked, _ = preparation.read(world.dataset, "test")
    first = typing.cast(list[typing.Any], asked[:5])
    said = tracking.predict(version.uri, first)
    assert [list(one) for one in said] == [["score"]] * 5
    assert [one["score"] for one in said] == pytest.approx(quality.predictions[:5], rel=1e-4)


def test_rows_without_a_score_teach_by_the_teacher_alone(world: World) -> None:
    more: list[Text] = [("money", "bank"), ("weather", "please")] if world.dataset.is_pair else []
    more = more or ["money please", "bank weather"]
    corpus = corpora.store(more, is_pair=world.dataset.is_pair, origin="made up")
    student = FromLayers(
        name="augmented",
        layers=(0,),
        task=(
            LogitMse(training=_QUICK, weight_ce=0.5, rows="augmented"),
            HardLabels(training=_QUICK),
        ),
    )
    checkpoint = distillation.distill(
        student,
        world.teacher,
        [
            *world.soft_labels(world.teacher),
            cache.compute(world.teacher, corpora.read(corpus), corpus.digest),
        ],
        world.dataset,
        corpus,
        start=None,
        role="student",
        seed=1,
        work=storage.work("augmented"),
        on_epoch=lambda _: None,
    )
    assert all(epoch.train_loss < 2 for epoch in checkpoint.history), "-100 is no score"
