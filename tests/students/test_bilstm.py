"""A student of another kind: its vocabulary, its start, and its way to int8."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export import tiny
from factories import make_checkpoint, make_teacher
from transformers import set_seed

from distillery import checkpoints
from distillery.data.examples import Text
from distillery.errors import UserError
from distillery.export import candidates
from distillery.export.quantization.base import Tables
from distillery.export.quantization.int8 import Int8
from distillery.recipe import Export
from distillery.runtimes.opening import open_engine
from distillery.storage import fetch
from distillery.students.bilstm import BiLstm
from distillery.teachers.base import LoadedModel, architecture_of
from distillery.training.encoding import Collator, encode

SIZE = 12
TEXTS = [f"please move {n} dollars, to my {place}!" for n in range(9) for place in ("bank", "card")]
ODD = ["", " ", "😀", "漢字 and ∞", "\x00\u200b", "x" * 500]


@pytest.fixture(scope="module", params=["bert", "roberta", "pooled_encoder"])
def teacher(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("teacher"), request.param)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("bert"))


def _student(**changes: Any) -> BiLstm:
    fields = {
        "name": "small",
        "embedding_size": SIZE,
        "hidden_size": 10,
        "fully_connected_size": 16,
        "vocabulary_size": 128,
    }
    return BiLstm.model_validate(fields | changes)


def _built(teacher: LoadedModel, *, is_pair: bool = False, **changes: Any) -> LoadedModel:
    set_seed(3)
    return _student(**changes).build(teacher, texts=TEXTS, is_pair=is_pair)


def _logits(loaded: LoadedModel, texts: list[Text]) -> torch.Tensor:
    batch = Collator(loaded.tokenizer.pad_token_id)(encode(loaded.tokenizer, texts, 24))
    loaded.model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        logits: torch.Tensor = loaded.model(**batch).logits
    return logits


def _table(loaded: LoadedModel) -> torch.Tensor:
    weight: torch.Tensor = loaded.model.get_input_embeddings().weight  # type: ignore[assignment]
    return weight.detach()


def _row(loaded: LoadedModel, token: str) -> torch.Tensor:
    return _table(loaded)[loaded.tokenizer.get_vocab()[token]]


def test_it_has_the_size_asked_for(teacher: LoadedModel) -> None:
    config = _built(teacher).model.config
    assert (config.embedding_size, config.hidden_size) == (SIZE, 10)
    assert config.fully_connected_size == 16
    assert not config.siamese
    assert _built(teacher, is_pair=True).model.config.siamese
    assert _student().architecture(architecture_of(teacher.model.config)) is None


def test_its_vocabulary_is_its_own(teacher: LoadedModel) -> None:
    tokenizer = _built(teacher).tokenizer
    assert tokenizer.tokenize("move DOLLARS!") == ["▁move", "▁dollars", "!"]
    assert tokenizer.model_max_length == teacher.tokenizer.model_max_length


@pytest.mark.parametrize("is_pair", [False, True])
def test_any_text_is_answered(is_pair: bool, bert: LoadedModel) -> None:
    built = _built(bert, is_pair=is_pair)
    texts: list[Text] = [(a, b) for a in ODD for b in ODD] if is_pair else list(ODD)
    together = _logits(built, texts)
    assert torch.isfinite(together).all()
    alone = torch.cat([_logits(built, [text]) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("from_teacher", [False, True])
def test_the_seed_decides_all_of_it(from_teacher: bool, teacher: LoadedModel) -> None:
    one, other = (_built(teacher, embeddings_from_teacher=from_teacher) for _ in range(2))
    assert one.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    weights = other.model.state_dict()
    assert all(torch.equal(w, weights[name]) for name, w in one.model.state_dict().items())


def test_its_embeddings_start_from_the_teachers(teacher: LoadedModel) -> None:
    """In all directions, nothing is lost: words are as far from each other as for the teacher."""
    width = teacher.model.config.hidden_size
    built = _built(teacher, embedding_size=width)
    theirs = _table(teacher)
    words = ["move", "my", "to", "please", "bank"]

    def distances(rows: list[torch.Tensor]) -> torch.Tensor:
        return torch.pdist(torch.stack(rows))

    own = distances([_row(built, f"▁{word}") for word in words])
    given = distances([theirs[teacher.tokenizer.convert_tokens_to_ids(word)] for word in words])
    torch.testing.assert_close(own / own.mean(), given / given.mean(), atol=1e-3, rtol=1e-3)
    assert 0.8 < _table(built).std() < 1.2
    assert not _table(_built(teacher))[0].any()


@pytest.mark.parametrize("texts", [[], [""], ["漢字 ✈"] * 3])
def test_texts_that_the_teacher_cannot_read(texts: list[str], bert: LoadedModel) -> None:
    built = _student().build(bert, texts=texts, is_pair=False)
    assert torch.isfinite(_table(built)).all()
    assert torch.isfinite(_logits(built, ["漢字", "move"])).all()


@pytest.mark.parametrize("size", [4, 40])
def test_any_embedding_size_will_do(size: int, teacher: LoadedModel) -> None:
    built = _built(teacher, embedding_size=size)
    assert torch.isfinite(_logits(built, ["move my money"])).all()


def _vectors(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def _line(word: str, first: float) -> str:
    return " ".join([word, *(str(first + i) for i in range(SIZE))])


def test_word_vectors_start_whole_words(bert: LoadedModel, tmp_path: Path) -> None:
    path = _vectors(
        tmp_path / "glove.txt",
        _line("dollars", 1),
        _line(". . .", 2),
        _line("!", 3),
        _line("dollars", 4),  # the first one counts
        _line("nowhere", 5),
        _line("m", 6),
    )
    built = _built(bert, word_vectors=path)
    _student(word_vectors=path).check(architecture_of(bert.model.config))
    assert _row(built, "▁dollars").tolist() == [1.0 + i for i in range(SIZE)]
    assert _row(built, "!").tolist() == [3.0 + i for i in range(SIZE)]
    # 'm' inside a word is not the word 'm'; what the file does not hold starts at random
    random = _built(bert, embeddings_from_teacher=False)
    assert torch.equal(_row(built, "m"), _row(random, "m"))
    assert torch.equal(_row(built, "▁please"), _row(random, "▁please"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], ".* is empty"),
        (["dollars 1 2 3"], "line 1 of .* is no word and 12 numbers; embedding_size must be"),
        ([_line("dollars", 1) + " 7"], "line 1 of .* is no word and 12 numbers"),
        ([_line("dollars", 1), "bank 1"], "line 2 of .* is no word and 12 numbers"),
        ([_line("dollars", 1), "bank" + " x" * SIZE], "what follows 'bank' in .* is no 12 numbers"),
        ([_line("dollars", 1), "bank" + " nan" * SIZE], "what follows 'bank' in .* is no 12"),
    ],
    ids=["empty", "shorter", "longer", "broken", "no numbers", "not finite"],
)
def test_a_bad_file_of_word_vectors(
    lines: list[str], message: str, bert: LoadedModel, tmp_path: Path
) -> None:
    student = _student(word_vectors=_vectors(tmp_path / "glove.txt", *lines))

    def check_and_build() -> None:
        student.check(architecture_of(bert.model.config))
        student.build(bert, texts=TEXTS, is_pair=False)

    with pytest.raises(UserError, match=f"student 'small': word_vectors: {message}") as caught:
        check_and_build()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make", [Path.mkdir, lambda _: None, lambda path: path.write_bytes(b"\xff")]
)
def test_no_file_of_word_vectors(
    make: Callable[[Path], object], bert: LoadedModel, tmp_path: Path
) -> None:
    make(tmp_path / "glove.txt")
    student = _student(word_vectors=str(tmp_path / "glove.txt"))
    with pytest.raises(UserError, match=r"student 'small': word_vectors: .*glove.txt cannot be"):
        student.check(architecture_of(bert.model.config))


@pytest.mark.parametrize("is_pair", [False, True])
@pytest.mark.usefixtures("storage_root")
def test_from_a_seed_to_int8(is_pair: bool, bert: LoadedModel) -> None:
    """It learns, and answers the same as PyTorch, ONNX and int8."""
    words = ["bank", "card", "money", "weather", "dollars"]
    singles = [f"please {verb} my {word}" for verb in ("move", "see", "keep") for word in words]
    texts: list[Text] = [(a, b) for a in singles for b in singles[::4]] if is_pair else [*singles]
    # of a text its word; of a pair whether the words are equal
    words_of = [
        text.split()[-1] if isinstance(text, str) else text[0].split()[-1] == text[1].split()[-1]
        for text in texts
    ]
    labels = torch.tensor(
        [words.index(one) if isinstance(one, str) else int(one) for one in words_of]
    )
    set_seed(1)
    student = _student(dropout=0.0, hidden_size=32, embedding_size=32, fully_connected_size=32)
    built = student.build(bert, texts=singles * 2, is_pair=is_pair)
    batch = Collator(built.tokenizer.pad_token_id)(encode(built.tokenizer, texts, 24))
    optimizer = torch.optim.Adam(built.model.parameters(), lr=0.01)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(built.model(**batch).logits, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert (_logits(built, texts).argmax(1) == labels).all()

    checkpoint = make_checkpoint(artifact=checkpoints.save(built), label_names=tiny.LABELS)
    limits = Export(parity_rows=len(texts), tables=Tables(bits=8))
    asked: list[Text] = [*texts, *([(odd, "my bank") for odd in ODD] if is_pair else ODD)]
    fp32 = candidates.fp32_candidate(checkpoint, asked, limits, is_pair=is_pair)
    int8 = candidates.quantized_candidate(fp32, Int8(), asked, asked, limits, ("avx512_vnni",))
    assert max(one.max_abs_logit_difference for one in fp32.parities) < 1e-4
    assert fp32.parity_failure is None
    assert max(one.label_flip_rate or 0 for one in int8.parities) < 0.02
    assert int8.size_bytes < 0.6 * fp32.size_bytes  # the graph itself is of a few kilobytes
    for candidate in (fp32, int8):
        engine = open_engine(fetch(candidate.artifact), "onnxruntime", threads=1)
        found = engine.predict(texts)
        assert (found.argmax(axis=1) == np.asarray(labels)).all()
        one_by_one = np.concatenate([engine.predict([text]) for text in texts])
        assert np.abs(one_by_one - found).max() < (1e-4 if candidate is fp32 else 1.0)
