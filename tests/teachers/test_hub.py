"""A checkpoint that cannot be had is refused in one line, before anything is trained."""

import json
from pathlib import Path

import pytest
import torch
from export import tiny

from distillery.errors import UserError
from distillery.teachers import hub
from distillery.teachers.pretrained import Pretrained


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny.save_checkpoint(tmp_path / "checkpoint")


def _load_all(teacher: Pretrained) -> None:
    teacher.check(("no", "yes"))
    teacher.config()


def _refusal(source: Path | str) -> str:
    with pytest.raises(UserError) as refused:
        _load_all(Pretrained(source=str(source)))
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith("teacher: ")
    return line


def test_a_whole_folder_is_accepted(checkpoint: Path) -> None:
    teacher = Pretrained(source=str(checkpoint))
    teacher.check(("no", "yes"))
    assert teacher.config().num_hidden_layers == tiny.LAYERS
    built = teacher.build(texts=[], label_names=("no", "yes", "both"))
    assert built.model.config.id2label == {0: "no", 1: "yes", 2: "both"}
    assert built.model.num_labels == 3  # a head of its own, where the checkpoint had five outputs


def test_a_folder_without_config(checkpoint: Path) -> None:
    (checkpoint / "config.json").unlink()
    line = _refusal(checkpoint)
    assert f"the folder '{checkpoint}' holds no config.json; give a folder in the" in line


def test_a_config_that_is_no_json(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text('{"model_type": ')
    assert str(checkpoint) in _refusal(checkpoint)


def test_a_folder_without_weights(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    assert "holds no *.safetensors" in _refusal(checkpoint)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "flax_model.msgpack"])
def test_pickled_weights_are_never_read(checkpoint: Path, name: str) -> None:
    (checkpoint / "model.safetensors").unlink()
    torch.save({}, checkpoint / name)
    line = _refusal(checkpoint)
    assert "other formats are not read, since they could run code" in line
    assert "save the checkpoint again with safetensors" in line


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_weights_cut_short(checkpoint: Path, share: float) -> None:
    weights = checkpoint / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(len(whole) * share)])
    line = _refusal(checkpoint)
    assert f"{weights} is damaged" in line
    assert "fetch it again" in line


def test_a_folder_without_a_tokenizer(checkpoint: Path) -> None:
    """Transformers would make one that knows no word, and read every text alike."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).unlink()
    assert f"'{checkpoint}' has no vocabulary" in _refusal(checkpoint)


def test_a_model_that_is_no_encoder(checkpoint: Path) -> None:
    vision = {"model_type": "resnet", "architectures": ["ResNetForImageClassification"]}
    (checkpoint / "config.json").write_text(json.dumps(vision))
    line = _refusal(checkpoint)
    assert f"'{checkpoint}'" in line
    assert "no text encoder" in line or "tokenizer" in line


@pytest.mark.parametrize("source", ["/no/such/folder", "./no-such-folder", "a/b/c"])
def test_a_path_that_is_not_there(source: str) -> None:
    with pytest.raises(UserError) as refused:
        hub.config_of(source)
    assert str(refused.value) == (
        f"teacher: there is no folder '{source}'; give a checkpoint's folder or hub name"
    )


@pytest.mark.parametrize("source", ["nobody/no-such-model", "no-such-model"])
def test_a_hub_name_that_cannot_be_reached(source: str) -> None:
    line = _refusal(source)
    assert f"cannot reach '{source}'" in line
    assert "give a local folder: --set teacher.source=/path/to/checkpoint" in line


def test_a_real_encoder(shared_models: Path) -> None:
    teacher = Pretrained(source=str(shared_models / "all-MiniLM-L6-v2"))
    teacher.check(("no", "yes"))
    config = teacher.config()
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (
        6,
        384,
        12,
    )
    tokenizer = hub.tokenizer_of(teacher.source)
    assert tokenizer.tokenize("distillation works") == ["di", "##sti", "##llation", "works"]
