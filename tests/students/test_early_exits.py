"""A student with several exits: its start, what is cut from it, and its control."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from export import tiny
from factories import make_checkpoint, make_teacher
from pydantic import ValidationError
from transformers import ModernBertConfig, ModernBertForSequenceClassification, set_seed

from distillery import checkpoints
from distillery.architectures.pooled_encoder import PooledEncoder
from distillery.errors import UserError
from distillery.export import fusion, pytorch_to_onnx
from distillery.objectives.base import Training
from distillery.objectives.deep_to_shallow import DeepToShallow
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.soft_targets import SoftTargets
from distillery.students.early_exits import EarlyExits
from distillery.students.from_layers import FromLayers
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


def _student(**settings: Any) -> EarlyExits:
    return EarlyExits.model_validate(
        {"name": "self", "layers": (0, 2, 3), "exits": (1,)} | settings
    )


def _built(student: Any, teacher: LoadedModel, *, seed: int = 5) -> LoadedModel:
    set_seed(seed)
    built: LoadedModel = student.build(teacher, texts=_TEXTS, is_pair=False)
    return built


def _outputs(loaded: LoadedModel) -> Any:
    rows = encode(loaded.tokenizer, _TEXTS, 16)
    batch = Collator(loaded.tokenizer.pad_token_id)(rows)
    loaded.model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        return loaded.model(**batch, output_hidden_states=True)


def test_its_layers_are_the_teachers(teacher: LoadedModel) -> None:
    found = _outputs(_built(_student(), teacher)).hidden_states
    cut = FromLayers(name="cut", layers=(0, 2, 3)).build(teacher, texts=(), is_pair=False)
    for ours, theirs in zip(found, _outputs(cut).hidden_states, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("keep", [None, 2, 3])
def test_finished_it_answers_as_the_kept_exit(teacher: LoadedModel, keep: int | None) -> None:
    student = _student(exits=(1, 2), keep=keep)
    built = _built(student, teacher)
    found = _outputs(built)
    finished = student.finished(built)
    assert type(finished.model) is PooledEncoder
    assert finished.tokenizer is built.tokenizer
    torch.testing.assert_close(_outputs(finished).logits, found.exits[(keep or 1) - 1])
    planned: Any = student.config(teacher.model.config, is_pair=False)
    as_planned = LoadedModel(model=PooledEncoder(planned), tokenizer=built.tokenizer)
    assert checkpoints.parameters(finished) == checkpoints.parameters(as_planned)
    assert planned.id2label == finished.model.config.id2label == teacher.model.config.id2label


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_its_control_is_the_kept_part_from_the_same_start(teacher: LoadedModel, keep: int) -> None:
    student = _student(exits=(1, 2), keep=keep, task=(DeepToShallow(training=Training(epochs=7)),))
    control = student.as_control()
    assert control.name == "self-control"
    assert control.task == (HardLabels(training=Training(epochs=7)),)
    assert EarlyExits.model_validate_json(control.model_dump_json()) == control
    kept = student.finished(_built(student, teacher)).model.state_dict()
    whole = _built(control, teacher)
    alone = control.finished(whole).model.state_dict()
    assert kept.keys() == alone.keys()
    assert all(torch.equal(kept[name], alone[name]) for name in kept)
    # nothing beside it is trained
    assert checkpoints.parameters(whole) == sum(weight.numel() for weight in alone.values())


def test_training_teaches_every_exit_and_leaves_the_teacher_alone(
    bert: LoadedModel, tmp_path: Path
) -> None:
    student = _student(
        exits=(1, 2),
        keep=2,
        task=(DeepToShallow(training=Training(epochs=6, learning_rate=3e-3, batch_size=4)),),
    )
    before = _outputs(bert).logits
    built = _built(student, bert)
    encoded = encode(built.tokenizer, _TEXTS, 16)
    rows = [{**row, "labels": i % 2} for i, row in enumerate(encoded)]
    start = _outputs(built).exits
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
    found = _outputs(built)
    labels = torch.tensor([0, 1, 0, 1])
    for then, now in zip(start, found.exits, strict=True):
        assert torch.nn.functional.cross_entropy(now, labels) < torch.nn.functional.cross_entropy(
            then, labels
        )
    torch.testing.assert_close(_outputs(student.finished(built)).logits, found.exits[1])
    assert torch.equal(_outputs(bert).logits, before)


def test_finished_it_is_saved_exported_and_fused_in_full(
    teacher: LoadedModel, storage_root: Path, tmp_path: Path
) -> None:
    student = _student(exits=(2,))
    finished = student.finished(_built(student, teacher))
    expected = _outputs(finished).logits
    artifact = checkpoints.save(finished)
    loaded = checkpoints.load(make_checkpoint(artifact=artifact))
    assert torch.equal(_outputs(loaded).logits, expected)
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
    session = onnxruntime.InferenceSession(tmp_path / "fused.onnx")
    batch = Collator(loaded.tokenizer.pad_token_id)(encode(loaded.tokenizer, _TEXTS, 16))
    batch.setdefault("token_type_ids", torch.zeros_like(batch["input_ids"]))
    asked = {node.name: batch[node.name].numpy() for node in session.get_inputs()}
    np.testing.assert_allclose(session.run(None, asked)[0], expected.numpy(), atol=1e-4)


def test_the_whole_network_is_saved_and_loaded_too(bert: LoadedModel, storage_root: Path) -> None:
    """Training goes on from there where it was killed."""
    built = _built(_student(), bert)
    artifact = checkpoints.save(built)
    loaded = checkpoints.load_folder(storage_root / artifact.uri)
    for ours, theirs in zip(_outputs(loaded).exits, _outputs(built).exits, strict=True):
        assert torch.equal(ours, theirs)


def test_an_encoder_that_does_not_end_in_its_last_layer_is_refused(bert: LoadedModel) -> None:
    config = ModernBertConfig(
        vocab_size=len(tiny.VOCABULARY),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        pad_token_id=0,
    )
    teacher = LoadedModel(
        model=ModernBertForSequenceClassification(config), tokenizer=bert.tokenizer
    )
    with pytest.raises(UserError, match="student 'self': an encoder of kind modernbert"):
        _built(_student(), teacher)


def test_its_settings_survive_json() -> None:
    student = _student(task=(SoftTargets(), DeepToShallow(share_kd=0.2)))
    assert EarlyExits.model_validate_json(student.model_dump_json()) == student
    assert student.architecture(architecture_of(tiny.config("bert"))) is None
    assert _student().task == (DeepToShallow(),)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exits": (0,)}, "exits names layer 0 of 3; choose from 1 to 3"),
        ({"exits": (4,)}, "exits names layer 4 of 3; choose from 1 to 3"),
        ({"exits": ()}, "needs an exit before the last layer; name one in exits"),
        ({"exits": (3,)}, "needs an exit before the last layer; name one in exits"),
        ({"keep": 2}, "keep is 2; choose one of the exits 1, 3"),
        ({"generations": 2}, "leave generations out"),
        ({"general": ({"objective": "masked_language_model"},)}, "leave general out"),
        ({"task": ({"objective": "tinybert_layers"},)}, "does not match any of the expected tags"),
        ({"task": ({"objective": "mutual_learning"},)}, "does not match any of the expected tags"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _student(**settings)


def test_a_layer_out_of_range(bert: LoadedModel) -> None:
    line = (
        "student 'self': layer 4 is out of range; the teacher has 4 layers, so choose from 0 to 3"
    )
    with pytest.raises(UserError, match=line):
        _student(layers=(0, 4)).check(architecture_of(bert.model.config))
