"""A finished classifier is taken in the data set's label order, by name."""

import json
from pathlib import Path

import pytest
import torch
from export import tiny
from factories import make_teacher

from distillery.errors import UserError
from distillery.teachers.base import LoadedModel
from distillery.teachers.classifier import Classifier

# five names, as the tiny models have five outputs; the data set lists them otherwise
OWN = ("no", "yes", "perhaps", "never", "ever")
WANTED = ("ever", "never", "no", "perhaps", "yes")


def _saved(folder: Path, architecture: str = "bert", names: tuple[str, ...] | None = OWN) -> Path:
    loaded = make_teacher(folder, architecture, layers=2)
    if names is not None:
        loaded.model.config.id2label = dict(enumerate(names))
        loaded.model.config.label2id = {name: i for i, name in enumerate(names)}
    loaded.model.save_pretrained(folder)
    return folder


def _logits(loaded: LoadedModel) -> torch.Tensor:
    ids = torch.arange(4, 24).reshape(2, 10) % len(tiny.VOCABULARY)
    loaded.model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        logits: torch.Tensor = loaded.model(input_ids=ids).logits
    return logits


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_logits_come_in_the_data_sets_order(tmp_path: Path, architecture: str) -> None:
    own = Classifier(source=str(_saved(tmp_path, architecture))).build(texts=[], label_names=OWN)
    teacher = Classifier(source=str(tmp_path))
    teacher.check(WANTED)
    built = teacher.build(texts=[], label_names=WANTED)
    logits = _logits(own)
    by_hand = torch.stack([logits[:, OWN.index(name)] for name in WANTED], dim=1)
    torch.testing.assert_close(_logits(built), by_hand)
    assert not torch.allclose(_logits(built), logits)
    assert built.model.config.id2label == dict(enumerate(WANTED))
    assert built.model.config.label2id == {name: i for i, name in enumerate(WANTED)}


def test_the_permuted_head_is_what_is_saved(tmp_path: Path) -> None:
    built = Classifier(source=str(_saved(tmp_path / "own"))).build(texts=[], label_names=WANTED)
    built.model.save_pretrained(tmp_path / "again")
    built.tokenizer.save_pretrained(tmp_path / "again")
    again = Classifier(source=str(tmp_path / "again"))
    again.check(WANTED)
    assert torch.equal(_logits(again.build(texts=[], label_names=WANTED)), _logits(built))


def test_it_is_not_trained(tmp_path: Path) -> None:
    assert Classifier(source=str(_saved(tmp_path))).fine_tuning is None


def test_labels_without_names(tmp_path: Path) -> None:
    teacher = Classifier(source=str(_saved(tmp_path, names=None)))
    with pytest.raises(UserError) as refused:
        teacher.check(WANTED)
    assert "names its labels only LABEL_0 … LABEL_4; give their names" in str(refused.value)
    assert "teacher.label_names" in str(refused.value)


def test_names_in_the_recipe_stand_in_for_missing_ones(tmp_path: Path) -> None:
    unnamed = Classifier(source=str(_saved(tmp_path / "unnamed", names=None)), label_names=OWN)
    unnamed.check(WANTED)
    named = Classifier(source=str(_saved(tmp_path / "named")))
    assert torch.equal(
        _logits(unnamed.build(texts=[], label_names=WANTED)),
        _logits(named.build(texts=[], label_names=WANTED)),
    )


def test_a_data_set_that_calls_its_labels_so_too(tmp_path: Path) -> None:
    Classifier(source=str(_saved(tmp_path, names=None))).check([f"LABEL_{i}" for i in range(5)])


@pytest.mark.parametrize(
    ("wanted", "lacks"),
    [
        (
            ("no", "yes", "perhaps", "never", "often"),
            "lacks 'often', and the data set lacks 'ever'",
        ),
        (("no", "yes"), "lacks none, and the data set lacks 'perhaps', 'never', 'ever';"),
        ((*OWN, "often"), "lacks 'often', and the data set lacks none;"),
        (("a", "b", "c", "d", "e"), "lacks 'a', 'b', 'c' and 2 more, and"),
    ],
)
def test_other_labels_are_named(tmp_path: Path, wanted: tuple[str, ...], lacks: str) -> None:
    with pytest.raises(UserError) as refused:
        Classifier(source=str(_saved(tmp_path))).check(wanted)
    assert lacks in str(refused.value)
    assert "match the names, or fine-tune it with kind: pretrained" in str(refused.value)


@pytest.mark.parametrize("names", [("no", "yes"), ("no", "no", "yes", "yes", "yes")])
def test_names_that_are_not_one_an_output(tmp_path: Path, names: tuple[str, ...]) -> None:
    teacher = Classifier(source=str(_saved(tmp_path)), label_names=names)
    with pytest.raises(UserError, match=r"gives 2 different names, but .* has 5 outputs"):
        teacher.check(("yes", "no"))


def test_a_config_with_too_few_names(tmp_path: Path) -> None:
    """Transformers counts the labels by their names; the weights then do not fit."""
    config = json.loads((_saved(tmp_path) / "config.json").read_text())
    config["id2label"] = {"0": "no", "1": "yes"}
    config["label2id"] = {"no": 0, "yes": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="the labels of"):
        Classifier(source=str(tmp_path)).check(OWN)
