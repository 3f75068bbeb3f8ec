"""Networks that learn from each other: their start, the one that is kept, and its control."""

from pathlib import Path
from typing import Any

import pytest
import torch
from export import tiny
from factories import make_checkpoint, make_teacher
from pydantic import ValidationError
from transformers import set_seed

from distillery import checkpoints
from distillery.architectures.pooled_encoder import PooledEncoder
from distillery.errors import UserError
from distillery.export import fusion, pytorch_to_onnx
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.mutual_learning import MutualLearning
from distillery.students.from_layers import FromLayers
from distillery.students.peers import Peers
from distillery.teachers.base import LoadedModel, architecture_of
from distillery.training.encoding import Collator, encode
from distillery.training.trainer import train

_TEXTS = ["move my money", "weather", "to the bank now please", "my weather"]


@pytest.fixture(scope="module", params=tiny.ARCHITECTURES)
def teacher(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("teacher"), request.param)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("bert"))


def _student(**settings: Any) -> Peers:
    return Peers.model_validate({"name": "peers", "layers": ((0, 3),)} | settings)


def _built(student: Any, teacher: LoadedModel, *, seed: int = 5) -> LoadedModel:
    set_seed(seed)
    built: LoadedModel = student.build(teacher, texts=_TEXTS, is_pair=False)
    return built


def _outputs(model: Any, teacher: LoadedModel) -> Any:
    rows = encode(teacher.tokenizer, _TEXTS, 16)
    batch = Collator(teacher.tokenizer.pad_token_id)(rows)
    with torch.inference_mode():
        return model.eval()(**batch, output_hidden_states=True)


def test_each_peers_layers_are_the_teachers(teacher: LoadedModel) -> None:
    choices = ((0, 3), (2,), (1, 2))
    built: Any = _built(_student(peers=3, layers=choices), teacher)
    for peer, layers in zip(built.model.peers, choices, strict=True):
        found = _outputs(peer, teacher).hidden_states
        cut = FromLayers(name="cut", layers=layers).build(teacher, texts=(), is_pair=False)
        for ours, theirs in zip(found, _outputs(cut.model, teacher).hidden_states, strict=True):
            torch.testing.assert_close(ours, theirs)
    assert built.model.config.id2label == teacher.model.config.id2label


def test_peers_of_the_same_layers_differ_by_their_classifiers(bert: LoadedModel) -> None:
    built: Any = _built(_student(), bert)
    first, second = built.model.peers
    assert all(
        torch.equal(one, other)
        for one, other in zip(first.encoder.parameters(), second.encoder.parameters(), strict=True)
    )
    assert not torch.equal(first.classifier.weight, second.classifier.weight)


def test_random_weights_are_no_teachers_and_no_others(bert: LoadedModel) -> None:
    student = _student(layers=((7, 8, 9),), random_weights=True)
    student.check(architecture_of(bert.model.config))
    built: Any = _built(student, bert)
    tables = [
        bert.model.get_input_embeddings().weight,
        *(peer.get_input_embeddings().weight for peer in built.model.peers),
    ]
    assert not any(torch.equal(tables[i], tables[j]) for i in range(3) for j in range(i))
    assert student.config(bert.model.config, is_pair=False).num_hidden_layers == 3


def test_finished_it_is_the_first_peer(teacher: LoadedModel) -> None:
    student = _student(peers=3, layers=((0,), (1, 2), (3,)))
    built = _built(student, teacher)
    found = _outputs(built.model, teacher)
    finished = student.finished(built)
    assert type(finished.model) is PooledEncoder
    assert torch.equal(_outputs(finished.model, teacher).logits, found.exits[0])
    planned: Any = student.config(teacher.model.config, is_pair=False)
    as_planned = LoadedModel(model=PooledEncoder(planned), tokenizer=built.tokenizer)
    assert checkpoints.parameters(finished) == checkpoints.parameters(as_planned)
    assert planned.id2label == finished.model.config.id2label == teacher.model.config.id2label


@pytest.mark.parametrize("random_weights", [False, True])
@pytest.mark.parametrize("layers", [((0, 3),), ((2,), (0, 1))])
def test_its_control_is_the_first_peer_alone_from_the_same_start(
    teacher: LoadedModel, layers: tuple[tuple[int, ...], ...], random_weights: bool
) -> None:
    student = _student(
        layers=layers,
        random_weights=random_weights,
        task=(MutualLearning(training=Training(epochs=7)),),
    )
    control = student.as_control()
    assert control.name == "peers-control"
    assert control.task == (HardLabels(training=Training(epochs=7)),)
    assert Peers.model_validate_json(control.model_dump_json()) == control
    kept = student.finished(_built(student, teacher)).model.state_dict()
    whole = _built(control, teacher)
    alone = control.finished(whole).model.state_dict()
    assert kept.keys() == alone.keys()
    assert all(torch.equal(kept[name], alone[name]) for name in kept)
    assert checkpoints.parameters(whole) == checkpoints.parameters(control.finished(whole))


def test_training_teaches_every_peer(bert: LoadedModel, tmp_path: Path) -> None:
    training = Training(epochs=6, learning_rate=3e-3, batch_size=4)
    student = _student(task=(MutualLearning(training=training),))
    built = _built(student, bert)
    encoded = encode(built.tokenizer, _TEXTS, 16)
    rows = [{**row, "labels": i % 2} for i, row in enumerate(encoded)]
    start = _outputs(built.model, bert).exits
    train(
        built,
        objective=student.task[0],
        teaching=None,
        projections=None,
        train_rows=rows,
        validation_rows=rows,
        collator=Collator(built.tokenizer.pad_token_id),
        seed=1,
        work=tmp_path / "work",
        on_epoch=lambda epoch: None,
    )
    labels = torch.tensor([0, 1, 0, 1])
    for then, now in zip(start, _outputs(built.model, bert).exits, strict=True):
        assert torch.nn.functional.cross_entropy(now, labels) < torch.nn.functional.cross_entropy(
            then, labels
        )


def test_finished_it_is_saved_exported_and_fused_in_full(
    teacher: LoadedModel, storage_root: Path, tmp_path: Path
) -> None:
    student = _student()
    finished = student.finished(_built(student, teacher))
    artifact = checkpoints.save(finished)
    loaded = checkpoints.load(make_checkpoint(artifact=artifact))
    expected = _outputs(finished.model, teacher).logits
    assert torch.equal(_outputs(loaded.model, teacher).logits, expected)
    pytorch_to_onnx.export(storage_root / artifact.uri, tmp_path / "traced.onnx")
    config = loaded.model.config
    counts = fusion.fuse(
        tmp_path / "traced.onnx",
        tmp_path / "fused.onnx",
        heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        layers=config.num_hidden_layers,
    )
    assert counts["Attention"] == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peers": 3, "layers": ((0,), (1,))}, "gives 2 choices for 3 peers; give one each"),
        ({"peers": 1}, "mutual_learning needs two peers or more; raise peers"),
        ({"layers": ((),)}, "at least 1 item"),
        ({"generations": 2}, "leave generations out"),
        ({"general": ({"objective": "masked_language_model"},)}, "leave general out"),
        ({"task": ({"objective": "deep_to_shallow"},)}, "does not match any of the expected tags"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _student(**settings)


def test_a_layer_out_of_range(bert: LoadedModel) -> None:
    line = (
        "student 'peers': layer 4 is out of range; the teacher has 4 layers, so choose from 0 to 3"
    )
    with pytest.raises(UserError, match=line):
        _student(layers=((0,), (4,))).check(architecture_of(bert.model.config))


def test_its_settings_survive_json() -> None:
    student = _student(task=(MutualLearning(temperature=2), HardLabels()))
    assert Peers.model_validate_json(student.model_dump_json()) == student
    assert student.architecture(architecture_of(tiny.config("bert"))) is None
