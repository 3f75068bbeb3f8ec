"""What holds for every augmentation in distillery/augmentation, found by walking the folder."""

import importlib
import inspect
import itertools
import pkgutil
from pathlib import Path
from typing import Any

import pandas as pd
import pictures
import pytest
from export import tiny
from factories import make_teacher

import distillery.augmentation
from distillery.augmentation import base
from distillery.augmentation.base import Augmentation
from distillery.augmentation.corpus import augment
from distillery.data.examples import Example, parts, same
from distillery.runtimes.images import Image
from distillery.teachers.base import LoadedModel

_SINGLES: list[Example] = list(dict.fromkeys(tiny.TEXTS))
_PAIRS: list[Example] = [(str(a), str(b)) for a, b in itertools.pairwise(_SINGLES)]
_IMAGES: list[Example] = [*pictures.pictures(20)[0]]

pytestmark = pytest.mark.usefixtures("storage_root")


def _found() -> list[type[Augmentation]]:
    for module in pkgutil.iter_modules(distillery.augmentation.__path__):
        importlib.import_module(f"{distillery.augmentation.__name__}.{module.name}")
    found: list[type[Augmentation]] = []
    waiting: list[type[Augmentation]] = [Augmentation]  # type: ignore[type-abstract]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.__subclasses__())
        if not inspect.isabstract(one):
            found.append(one)
    return sorted(found, key=lambda one: one.__name__)


AUGMENTATIONS = _found()
every = pytest.mark.parametrize("kind", AUGMENTATIONS, ids=lambda kind: kind.__name__)
on_all_it_reads = pytest.mark.parametrize(
    ("kind", "texts"),
    [
        pytest.param(kind, texts, id=f"{kind.__name__}-{name}")
        for kind in AUGMENTATIONS
        for name, texts in (
            {"images": _IMAGES} if kind.reads == "image" else {"singles": _SINGLES, "pairs": _PAIRS}
        ).items()
    ],
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    lines = [f"line {i}" for i in range(30)]
    pd.DataFrame({"text": lines, "other": lines[::-1]}).to_parquet(path)
    return path


def _smallest(kind: type[Augmentation], texts: list[Example], elsewhere: Path) -> Augmentation:
    """Settings of those that cannot do without any."""
    settings: dict[str, Any] = {}
    if "source" in kind.model_fields:
        settings = {"source": str(elsewhere)}
        if isinstance(texts[0], tuple):
            settings["text_pair"] = "other"
    made = kind.model_validate(settings)
    made.check(is_pair=isinstance(texts[0], tuple))
    return made


def test_the_walk_finds_those_that_are_there() -> None:
    assert {"MaskedWords", "ShiftedImages", "TangRules", "Unlabelled"} <= {
        one.__name__ for one in AUGMENTATIONS
    }


@on_all_it_reads
def test_new_rows_of_the_same_shape(
    kind: type[Augmentation],
    texts: list[Example],
    teacher: LoadedModel,
    elsewhere: Path,
    tmp_path: Path,
) -> None:
    augmentation = _smallest(kind, texts, elsewhere)
    found = augment([augmentation], texts, [], teacher=teacher, seed=1, work=tmp_path)
    assert len(found.texts) >= 20
    assert {type(text) for text in found.texts} == {type(texts[0])}
    assert all(_says_something(text) for text in found.texts)
    folded = {same(text) for text in found.texts}
    assert len(folded) == len(found.texts)
    assert not folded & {same(text) for text in texts}


@on_all_it_reads
def test_a_shard_depends_on_the_seed_and_not_on_the_others(
    kind: type[Augmentation],
    texts: list[Example],
    teacher: LoadedModel,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(base, "SHARD_ROWS", 7)
    augmentation = _smallest(kind, texts, elsewhere)
    shards = range(augmentation.shards(len(texts)))
    make = augmentation.opened(texts, teacher=teacher, seed=1)
    forward = [list(make(shard)) for shard in shards]
    make = augmentation.opened(texts, teacher=teacher, seed=1)
    assert [list(make(shard)) for shard in reversed(shards)] == forward[::-1]
    # and how the rows were cut makes no difference
    monkeypatch.setattr(base, "SHARD_ROWS", 512)
    whole = list(augmentation.opened(texts, teacher=teacher, seed=1)(0))
    assert whole == [text for shard in forward for text in shard]


@on_all_it_reads
def test_a_held_out_row_never_comes_in(
    kind: type[Augmentation],
    texts: list[Example],
    teacher: LoadedModel,
    elsewhere: Path,
    tmp_path: Path,
) -> None:
    augmentation = _smallest(kind, texts, elsewhere)
    free = augment([augmentation], texts, [], teacher=teacher, seed=1, work=tmp_path)
    secret = free.texts[::2]
    clean = augment([augmentation], texts, secret, teacher=teacher, seed=1, work=tmp_path)
    assert list(clean.texts) == list(free.texts[1::2])


def _says_something(example: Example) -> bool:
    if isinstance(example, Image):
        return example.shape == (8, 8, 1) and bool(example.pixels.any())
    return all(part.strip() for part in parts(example))


@every
def test_its_settings_survive_json(kind: type[Augmentation], elsewhere: Path) -> None:
    augmentation = _smallest(kind, _SINGLES, elsewhere)
    assert kind.model_validate_json(augmentation.model_dump_json()) == augmentation
    assert augmentation.model_dump()["kind"]  # the tag that recipes choose by


@every
def test_every_setting_has_a_title(kind: type[Augmentation]) -> None:
    for name, field in kind.model_fields.items():
        assert name == "kind" or field.title, name
