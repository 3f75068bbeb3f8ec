"""Perceptrons that learn from each other: their starts, the one that is kept, and its control."""

from pathlib import Path
from typing import Any

import pictures
import pytest
import torch
from pydantic import ValidationError
from transformers import set_seed

from distillery.architectures.cnn import Cnn, CnnConfig
from distillery.architectures.mlp import Mlp
from distillery.architectures.peers import Peers
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.mutual_learning import MutualLearning
from distillery.students.mlp import MlpStudent
from distillery.students.mlp_peers import MlpPeers
from distillery.teachers.base import LoadedModel
from distillery.training.encoding import collator_of, inputs_of
from distillery.training.trainer import train

_IMAGES, _LABELS = pictures.pictures(16)


@pytest.fixture(scope="module")
def teacher() -> LoadedModel:
    config = CnnConfig(channels=(2,), hidden_size=4, image_shape=(8, 8, 1), num_labels=4)
    return LoadedModel(model=Cnn(config), tokenizer=None)


def _student(**settings: Any) -> MlpPeers:
    given = {"name": "peers", "peers": 3, "hidden_sizes": (12,), "dropout": 0.0}
    return MlpPeers.model_validate(given | settings)


def _built(student: MlpPeers | MlpStudent, teacher: LoadedModel, *, seed: int = 5) -> LoadedModel:
    set_seed(seed)
    return student.build(teacher, texts=(), is_pair=False)


def _outputs(loaded: LoadedModel) -> Any:
    batch = collator_of(loaded)(inputs_of(loaded, _IMAGES, 0))
    loaded.model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        return loaded.model(**batch)


def test_each_starts_from_its_own_random_weights(teacher: LoadedModel) -> None:
    peers: Any = _built(_student(), teacher).model.peers
    tables = [peer.classifier.weight for peer in peers]
    assert len(tables) == 3
    assert not any(torch.equal(tables[i], tables[j]) for i in range(3) for j in range(i))


def test_the_first_one_answers_and_is_kept(teacher: LoadedModel) -> None:
    built = _built(_student(), teacher)
    found = _outputs(built)
    assert isinstance(built.model, Peers)
    assert torch.equal(found.logits, found.exits[0])
    kept = _student().finished(built)
    assert type(kept.model) is Mlp
    assert kept.reads_images
    assert torch.equal(_outputs(kept).logits, found.exits[0])


def test_its_control_is_the_perceptron_that_would_have_been_trained_alone(
    teacher: LoadedModel,
) -> None:
    """The same weights as a lone perceptron draws of the same seed, and no peer beside it."""
    student = _student(task=(MutualLearning(training=Training(epochs=7)),))
    control = student.as_control()
    assert control.task == (HardLabels(training=Training(epochs=7)),)
    assert MlpPeers.model_validate_json(control.model_dump_json()) == control
    whole = _built(control, teacher)
    assert len(whole.model.peers) == 1  # type: ignore[arg-type]
    lone = _built(MlpStudent(name="a", hidden_sizes=(12,), dropout=0.0), teacher)
    expected = lone.model.state_dict()
    for kept in (student.finished(_built(student, teacher)), control.finished(whole)):
        found = kept.model.state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_training_teaches_every_peer(teacher: LoadedModel, tmp_path: Path) -> None:
    training = Training(epochs=8, learning_rate=1e-2, batch_size=4, patience_epochs=8)
    student = _student(task=(MutualLearning(training=training),))
    built = _built(student, teacher)
    rows = [
        {**row, "labels": label}
        for row, label in zip(inputs_of(built, _IMAGES, 0), _LABELS, strict=True)
    ]
    start = _outputs(built).exits
    train(
        built,
        objective=student.task[0],
        teaching=None,
        projections=None,
        train_rows=rows,
        validation_rows=rows,
        collator=collator_of(built),
        seed=1,
        work=tmp_path / "work",
        on_epoch=lambda epoch: None,
    )
    labels = torch.tensor(_LABELS)
    for then, now in zip(start, _outputs(built).exits, strict=True):
        assert torch.nn.functional.cross_entropy(now, labels) < torch.nn.functional.cross_entropy(
            then, labels
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peers": 1}, "mutual_learning needs two peers or more; raise peers"),
        ({"hidden_sizes": ()}, "at least 1 item"),
        ({"task": ({"objective": "soft_tree"},)}, "does not match any of the expected tags"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _student(**settings)
