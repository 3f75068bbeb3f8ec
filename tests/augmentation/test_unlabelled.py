"""Rows from elsewhere: drawn by the seed, without labels; refused in one line."""

from pathlib import Path

import pandas as pd
import pytest

from distillery.augmentation.unlabelled import Unlabelled
from distillery.data.examples import Example, Text
from distillery.errors import UserError
from distillery.teachers.base import LoadedModel

pytestmark = pytest.mark.usefixtures("storage_root")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows = pd.DataFrame(
        {
            "sentence": [f"sentence {i}" if i % 10 else " " for i in range(50)],
            "other": [f"other {i}" for i in range(50)],
            "number": range(50),
        }
    )
    path = tmp_path / "sentences.parquet"
    rows.to_parquet(path)
    return path


def _made(
    augmentation: Unlabelled, teacher: LoadedModel, seed: int = 1, text: Text = "a"
) -> list[Example]:
    assert augmentation.shards(3) == 1
    return list(augmentation.opened([text], teacher=teacher, seed=seed)(0))


def test_all_rows_that_say_something(source: Path, teacher: LoadedModel) -> None:
    made = _made(Unlabelled(source=str(source), text="sentence"), teacher)
    assert made == [f"sentence {i}" for i in range(50) if i % 10]
    assert made == list(Unlabelled(source=str(source), text="sentence").texts(seed=1))


def test_some_rows_by_the_seed(source: Path, teacher: LoadedModel) -> None:
    some = Unlabelled(source=str(source), text="other", max_rows=20)
    made = _made(some, teacher)
    assert len(set(made)) == 20
    assert made == _made(some, teacher)
    assert made != _made(some, teacher, seed=2)


def test_pairs(source: Path, teacher: LoadedModel) -> None:
    pairs = Unlabelled(source=str(source), text="sentence", text_pair="other")
    made = _made(pairs, teacher, text=("a", "b"))
    assert made[0] == ("sentence 1", "other 1")
    assert len(made) == 45


@pytest.mark.parametrize(
    ("settings", "is_pair", "says"),
    [
        ({"text": "sentence"}, True, "set text_pair"),
        ({"text": "sentence", "text_pair": "other"}, False, "leave text_pair out"),
        ({"text": "words"}, False, "no column 'words'.*it has sentence, other, number; set text"),
        ({"text": "number"}, False, "'number' of .* is int64; set text to a text column"),
        ({"source": "./nowhere.csv"}, False, "no file or folder './nowhere.csv'; give source"),
    ],
)
def test_refused_in_one_line(
    source: Path, settings: dict[str, str], is_pair: bool, says: str
) -> None:
    wrong = Unlabelled.model_validate({"source": str(source)} | settings)
    with pytest.raises(UserError, match=f"^augmentation: unlabelled: .*{says}") as refused:
        wrong.check(is_pair=is_pair)
    assert "\n" not in str(refused.value)
    assert "data." not in str(refused.value)


def test_a_folder_with_other_splits(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["a"]}).to_json(tmp_path / "more.jsonl", orient="records", lines=True)
    Unlabelled(source=str(tmp_path), split="more").check(is_pair=False)
    with pytest.raises(UserError, match=r"holds no file train\.parquet"):
        Unlabelled(source=str(tmp_path)).check(is_pair=False)


def test_real_sentences(shared_data: Path, teacher: LoadedModel) -> None:
    some = Unlabelled(source=str(shared_data / "wiki-sentences"), max_rows=100)
    some.check(is_pair=False)
    assert len(_made(some, teacher)) == 100
