"""Neighbours by cosine, from a GloVe file or a model's own embeddings."""

from pathlib import Path

import pytest
import torch
from export import tiny

from distillery.augmentation import word_vectors
from distillery.errors import UserError
from distillery.teachers.base import LoadedModel

_LINES = [
    "the 0 0 1",
    "bank 1 0 0",
    "money 0.9 0.1 0",
    "cash 0.8 0.4 0",
    ". . . 1 1 1",
    "7up 1 0 0",
]


def _file(folder: Path, lines: list[str]) -> str:
    path = folder / "vectors.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_neighbours_nearest_first(tmp_path: Path) -> None:
    vectors = word_vectors.from_file(_file(tmp_path, _LINES))
    found = vectors.nearest(["bank", "Money", "zebra"], 2)
    assert found == {"bank": ["money", "cash"], "Money": ["bank", "cash"]}


def test_word2vecs_first_line_is_no_word(tmp_path: Path) -> None:
    vectors = word_vectors.from_file(_file(tmp_path, ["6 3", *_LINES]))
    assert vectors.nearest(["bank"], 1) == {"bank": ["money"]}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["bank 1 0 0", "money 1 0"], "line 2: expected a word and 3 numbers"),
        (["bank 1 0 0", "money 1 0 much"], "line 2: expected a word and 3 numbers"),
        (["bank 1 0 0", "money 1 0 nan"], "line 2"),
        (["bank"], "line 1"),
        (["7 1 0 0"], "hold no word"),
    ],
)
def test_a_malformed_file(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says) as refused:
        word_vectors.from_file(_file(tmp_path, lines))
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read word vectors"):
        word_vectors.check_file(str(tmp_path / "nowhere.txt"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00" * 9)
    with pytest.raises(UserError, match="not UTF-8"):
        word_vectors.check_file(str(tmp_path / "binary"))


def test_embeddings_of_a_model(teacher: LoadedModel) -> None:
    vectors = word_vectors.from_embeddings(teacher)
    embeddings: torch.nn.Embedding = teacher.model.get_input_embeddings()  # type: ignore[assignment]
    table = embeddings.weight.detach()
    own = table[tiny.VOCABULARY["money"]]
    names = [name for name in tiny.VOCABULARY if name.isalpha() and name != "money"]
    cosines = [
        float(torch.cosine_similarity(own, table[tiny.VOCABULARY[name]], dim=0)) for name in names
    ]
    best = [name for _, name in sorted(zip(cosines, names, strict=True), reverse=True)][:3]
    assert vectors.nearest(["money", "zebra"], 3) == {"money": best}


def test_a_word_of_several_pieces_is_the_mean_of_them(shared_models: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    from distillery.teachers import hub

    source = str(shared_models / "all-MiniLM-L6-v2")
    model = AutoModelForSequenceClassification.from_pretrained(source)
    tokenizer = hub.tokenizer_of(source)
    vectors = word_vectors.from_embeddings(LoadedModel(model=model, tokenizer=tokenizer))
    assert len(tokenizer.tokenize("paycheck")) > 1
    near = vectors.nearest(["paycheck", "money"], 15)
    assert len(near["paycheck"]) == len(near["money"]) == 15
    assert "check" in near["paycheck"]
    assert "funds" in near["money"]
