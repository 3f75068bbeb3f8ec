"""What makes a step's work the same, and what does not."""

import pytest

from distillery import recipe_files
from distillery.nouns import Artifact, Checkpoint
from distillery.objectives.base import Training
from distillery.recipe import Launcher
from tasks.step import step_key


def _checkpoint(digest: str, seconds: float) -> Checkpoint:
    return Checkpoint(
        name="teacher",
        role="teacher",
        artifact=Artifact(uri=f"artifacts/checkpoint/{digest}", digest=digest, size_bytes=1),
        seed=1,
        parameters=1,
        label_names=("a", "b"),
        max_length=8,
        parent_digest=None,
        history=(),
        best_epoch=1,
        training_seconds=seconds,
        tracking_run_id=None,
    )


def test_equal_content_is_the_same_input_however_long_it_took() -> None:
    one = step_key("export-fp32", {"checkpoint": _checkpoint("d1", 3.0)})
    assert one == step_key("export-fp32", {"checkpoint": _checkpoint("d1", 9.0)})
    assert one != step_key("export-fp32", {"checkpoint": _checkpoint("d2", 3.0)})
    assert one != step_key("package-pytorch", {"checkpoint": _checkpoint("d1", 3.0)})


def test_a_controls_key_knows_no_loss_and_a_students_does() -> None:
    cold, hot = (
        recipe_files.load("quickstart", [f"students.0.task.0.temperature={t}"]).students[0]
        for t in (2, 8)
    )
    assert step_key("distill", {"student": cold}) != step_key("distill", {"student": hot})
    assert step_key("control", {"student": cold.as_control()}) == step_key(
        "control", {"student": hot.as_control()}
    )


def test_the_students_training_is_part_of_both_keys() -> None:
    short, long = (
        recipe_files.load("quickstart", [f"students.0.task.0.training.epochs={n}"]).students[0]
        for n in (2, 3)
    )
    assert step_key("control", {"student": short.as_control()}) != step_key(
        "control", {"student": long.as_control()}
    )


def test_who_trains_is_no_part_of_the_key_and_how_is() -> None:
    alone, together = Launcher(), Launcher(processes=2, nodes=3)
    assert step_key("distill", {"launcher": alone}) == step_key("distill", {"launcher": together})
    for change in ({"gradient_accumulation": 2}, {"precision": "bf16"}):
        changed = Training.model_validate(change)
        assert step_key("head", {"training": Training()}) != step_key("head", {"training": changed})


def test_what_has_no_identity_is_refused_and_not_silently_hashed() -> None:
    with pytest.raises(TypeError, match="cannot be part of a step's key"):
        step_key("step", {"what": object()})
