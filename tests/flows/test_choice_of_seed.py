"""What a seed is chosen by."""

from distillery.nouns import Artifact, Checkpoint, Epoch
from flows.compress import best_validation


def _checkpoint(*accuracies: float | None, best_epoch: float) -> Checkpoint:
    return Checkpoint(
        name="student",
        role="student",
        artifact=Artifact(uri="artifacts/checkpoint/a", digest="a", size_bytes=1),
        seed=1,
        parameters=1,
        label_names=("a", "b"),
        max_length=8,
        parent_digest=None,
        history=tuple(
            Epoch(epoch=i, train_loss=1.0, validation_loss=1.0, validation_accuracy=accuracy)
            for i, accuracy in enumerate(accuracies, start=1)
        ),
        best_epoch=best_epoch,
        training_seconds=1.0,
        tracking_run_id=None,
    )


def test_it_is_the_accuracy_of_what_was_kept_and_not_of_an_earlier_stage() -> None:
    assert best_validation(_checkpoint(0.9, 0.7, 0.8, best_epoch=3)) == 0.8


def test_without_any_accuracy_it_is_none_at_all() -> None:
    assert best_validation(_checkpoint(None, best_epoch=1)) == 0
    assert best_validation(_checkpoint(best_epoch=0)) == 0
