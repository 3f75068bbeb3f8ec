"""What would stop a run after its first training is told before it, in one line with the mend."""

from pathlib import Path
from typing import Any

import pytest
from export import tiny
from registry.places import FilePlace

from distillery import preflight
from distillery.errors import UserError
from distillery.recipe import Recipe

_LAYERS = {"name": "a", "kind": "from_layers", "layers": [0, 1]}


@pytest.fixture
def recipe(tmp_path: Path, storage_root: Path) -> dict[str, Any]:
    lines = ["text,label"] + [
        f"{text} {word},{word}" for text in tiny.TEXTS[:12] for word in ("money", "bank")
    ]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    return {
        "name": "toy",
        "data": {"source": str(tmp_path / "rows.csv")},
        "teacher": {
            "kind": "pretrained",
            "source": str(tiny.save_checkpoint(tmp_path / "encoder")),
            "max_length": 24,
        },
        "students": [_LAYERS],
    }


def _check(recipe: dict[str, Any], **changes: Any) -> preflight.Plan:
    return preflight.check(Recipe.model_validate({**recipe, **changes}))


def test_a_place_that_is_not_ready_is_told_before_training(
    recipe: dict[str, Any], tmp_path: Path
) -> None:
    place = FilePlace(folder=tmp_path, trouble="is not ready")
    sound = Recipe.model_validate(recipe).model_copy(update={"deploy": place})
    with pytest.raises(UserError, match="the place is not ready"):
        preflight.check(sound)


def test_a_sound_recipe_says_how_much_is_trained(recipe: dict[str, Any]) -> None:
    assert _check(recipe).trainings == 3
    ensemble = {"kind": "ensemble", "members": [recipe["teacher"]] * 3}
    assert _check(recipe, teacher=ensemble, seeds=[1, 2]).trainings == 7
    # two temperatures and their limit; T=2 on the teacher alone is the student itself
    study = {"temperatures": [2, 4], "shares_ce": [0]}
    assert _check(recipe, temperature_study=study, seeds=[1, 2]).trainings == 5 + 4


@pytest.mark.parametrize(
    ("student", "line"),
    [
        (
            {**_LAYERS, "trimming": {"seen_at_least": 2}, "task": [{"objective": "patient_kd"}]},
            r"student 'a', task 0 \(patient_kd\): student and teacher split texts into different",
        ),
        (
            {"name": "b", "kind": "bilstm", "task": [{"objective": "tinybert_layers"}]},
            r"student 'b', task 0 \(tinybert_layers\): this student has no transformer layers",
        ),
        (
            {
                "name": "c",
                "kind": "narrow",
                "layers": 2,
                "hidden_size": 16,
                "heads": 2,
                "task": [{"objective": "tinybert_layers"}],
            },
            r"student 'c', task 0 \(tinybert_layers\): .*heads",
        ),
        (
            {**_LAYERS, "layers": [0], "task": [{"objective": "patient_kd"}]},
            r"student 'a', task 0 \(patient_kd\): .*give the student 2 layers",
        ),
    ],
)
def test_a_student_whose_loss_cannot_compare(
    recipe: dict[str, Any], student: dict[str, Any], line: str
) -> None:
    with pytest.raises(UserError, match=line):
        _check(recipe, students=[student])


def test_an_ensemble_gives_logits_alone(recipe: dict[str, Any]) -> None:
    teacher = {"kind": "ensemble", "members": [recipe["teacher"]] * 2}
    student = {**_LAYERS, "task": [{"objective": "minilm_relations", "relation_heads": 4}]}
    with pytest.raises(UserError, match="an ensemble gives logits alone"):
        _check(recipe, teacher=teacher, students=[student])


def test_general_stages_compare_widths_too(recipe: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("text\n" + "\n".join(tiny.TEXTS))
    text = {"text": {"source": str(tmp_path / "more.csv")}}
    narrow = {"name": "c", "kind": "narrow", "layers": 2, "hidden_size": 16, "heads": 4}
    student = {**narrow, "general": [{"objective": "distilbert_triple"}]}
    with pytest.raises(UserError, match=r"student 'c', general 0 \(distilbert_triple\): "):
        _check(recipe, students=[student], general_distillation=text)
    student = {**narrow, "general": [{"objective": "tinybert_layers"}]}
    assert _check(recipe, students=[student], general_distillation=text).trainings == 4


def test_masked_words_from_a_teacher_without_whole_words(recipe: dict[str, Any]) -> None:
    augmentation = [{"kind": "masked_words"}]
    assert _check(recipe, augmentation=augmentation).trainings == 3
    teacher = {"kind": "from_scratch", "layers": 2}
    with pytest.raises(UserError, match=r"masked_words: no piece .* whole word.*; give word_vecto"):
        _check(recipe, teacher=teacher, augmentation=augmentation)


def test_a_student_that_reads_less_than_its_teacher(recipe: dict[str, Any], tmp_path: Path) -> None:
    source = tiny.save_checkpoint(tmp_path / "short")
    teacher = {"kind": "from_scratch", "layers": 2, "max_length": 48}
    student = {"name": "d", "kind": "pretrained", "source": str(source)}
    line = r"student 'd': the teacher's max_length 48 is more than the 40 tokens .*; lower it"
    with pytest.raises(UserError, match=line):
        _check(recipe, teacher=teacher, students=[student])
    assert _check(recipe, teacher={**teacher, "max_length": 40}, students=[student]).trainings == 3


_SOFT = {"objective": "soft_targets"}


@pytest.mark.parametrize(
    ("training", "launcher", "line"),
    [
        (
            {"batch_size": 32, "gradient_accumulation": 3},
            {"processes": 2},
            r"student 'a', task 0 \(soft_targets\): batch_size 32 cannot be split into 6 .*use 30",
        ),
        ({"precision": "fp16"}, {}, r"student 'a', task 0 \(soft_targets\): precision fp16 needs"),
        ({}, {"nodes": 2}, r"launcher.nodes is more than 1, and DISTILLERY_RENDEZVOUS names no"),
    ],
)
def test_a_launcher_or_precision_that_cannot_be(
    recipe: dict[str, Any],
    training: dict[str, Any],
    launcher: dict[str, Any],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("DISTILLERY_RENDEZVOUS", raising=False)
    student = {**_LAYERS, "task": [{**_SOFT, "training": training}]}
    with pytest.raises(UserError, match=line) as told:
        _check(recipe, students=[student], launcher=launcher)
    assert "\n" not in str(told.value)


def test_the_default_batch_is_split_among_two(recipe: dict[str, Any]) -> None:
    assert _check(recipe, launcher={"processes": 2}).trainings == 3


def test_text_to_augment_with_that_is_not_there(recipe: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"augmentation: unlabelled: .*nowhere"):
        _check(recipe, augmentation=[{"kind": "unlabelled", "source": "/nowhere/at/all"}])


def test_a_plan_over_scores_says_their_range(recipe: dict[str, Any], tmp_path: Path) -> None:
    rows = "".join(f"{text} {i},{i / 4}\n" for i, text in enumerate(tiny.TEXTS))
    (tmp_path / "graded.csv").write_text("text,label\n" + rows)
    data = {"source": str(tmp_path / "graded.csv"), "label_kind": "score"}
    student = {**_LAYERS, "task": [{"objective": "logit_mse"}]}
    found = _check(recipe, data=data, students=[student], gates={"size_bytes_max": 10_000_000})
    assert found.labels == 1
    assert found.score_range is not None
    assert 0 <= found.score_range[0] < found.score_range[1] <= 39 / 4
