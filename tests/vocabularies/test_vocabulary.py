"""Trimmed vocabularies: equal logits and segmentation on the given texts, no failure on others."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from export import tiny
from factories import make_teacher
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
)

from distillery import checkpoints
from distillery.architectures.pooled_encoder import PooledEncoder, PooledEncoderConfig
from distillery.data.examples import Text
from distillery.errors import UserError
from distillery.runtimes.base import Card, TextEncoder
from distillery.teachers.base import LoadedModel
from distillery.training import encoding
from distillery.vocabularies import vocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
CORPUS = [
    "move my money to the savings bank now",
    "what is the weather in lower saxony",
    "lowest newest widest, unbelievable!",
    "the newer the better; the lower the worse",
    "Ein schöner Tag für naïve Leute",
] * 3
TASK = ["move my money now", "the weather", "what is the lowest", "unknown: Ω 東"]
UNSEEN = [
    "savings",
    "unbelievable newer widest",
    "schöner Tag",
    "🙂 bet!",
    "",
    "a" * 120,
    "[MASK] x",
]


def _template(tokenizer: Tokenizer, first: str, last: str) -> Any:
    return processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (first, last)],
    )


def _fast(tokenizer: Tokenizer, *, types: bool = True) -> PreTrainedTokenizerFast:
    tokenizer.post_processor = _template(tokenizer, "[CLS]", "[SEP]")
    names = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=40,
        model_input_names=names,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def word_piece(*, types: bool = True) -> PreTrainedTokenizerFast:
    """Whole words, a few longer pieces, and each character alone and as a continuation."""
    words = sorted({word.strip(",;!").lower() for text in CORPUS for word in text.split()})
    characters = sorted({*"".join(words), *",;!ou[]0"})
    pieces = ["##est", "##er", "low", "new", "wid", "##believable"]
    tokens = [*SPECIAL[:1], "[unused0]", *SPECIAL[1:], *words, *pieces]
    tokens += [*characters, *(f"##{one}" for one in characters)]
    numbered = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(numbered, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _fast(tokenizer, types=types)


def byte_level() -> PreTrainedTokenizerFast:
    """RoBERTa's kind, pad id 1 and positions that count from it."""
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learned.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=ROBERTA, initial_alphabet=alphabet, show_progress=False
        ),
    )
    model = json.loads(learned.to_str())["model"]
    return RobertaTokenizer(
        vocab=model["vocab"],
        merges=[tuple(merge) for merge in model["merges"]],  # type: ignore[misc]
        model_max_length=40,
    )


def plain_bpe() -> PreTrainedTokenizerFast:
    """What the from-scratch teacher learns."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()]
    )
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False),
    )
    return _fast(tokenizer)


def clip_bpe() -> PreTrainedTokenizerFast:
    """Merges written over continuation prefixes and word ends."""
    marks: dict[str, Any] = {"continuing_subword_prefix": "##", "end_of_word_suffix": "</w>"}
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]", **marks))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=250, special_tokens=SPECIAL, show_progress=False, **marks),
    )
    return _fast(tokenizer)


def unigram() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(
            vocab_size=120, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False
        ),
    )
    return _fast(tokenizer)


KINDS: tuple[Callable[[], PreTrainedTokenizerFast], ...] = (
    word_piece,
    byte_level,
    plain_bpe,
    clip_bpe,
    unigram,
)


def _config(architecture: str, tokenizer: PreTrainedTokenizerFast) -> PretrainedConfig:
    config = tiny.config(architecture)
    config.vocab_size = len(tokenizer)
    for part in [config, *(getattr(config, name) for name in config.sub_configs)]:
        part.pad_token_id = tokenizer.pad_token_id
        part.bos_token_id = part.eos_token_id = None
    return config


def loaded(
    tokenizer: PreTrainedTokenizerFast,
    architecture: str = "bert",
    family: Any = AutoModelForSequenceClassification,
) -> LoadedModel:
    torch.manual_seed(3)
    model = family.from_config(_config(architecture, tokenizer))
    return LoadedModel(model=model.eval(), tokenizer=tokenizer)


def logits(model: LoadedModel, texts: Sequence[Text]) -> torch.Tensor:
    """Of texts as training encodes and pads them."""
    rows = encoding.encode(model.tokenizer, texts, max_length=36)
    pad = model.tokenizer.pad_token_id
    assert isinstance(pad, int)
    with torch.no_grad():
        found: torch.Tensor = model.model(**encoding.Collator(pad)(rows)).logits
    return found


def spans(tokenizer: PreTrainedTokenizerFast, text: str) -> list[tuple[str, tuple[int, int]]]:
    one = tokenizer.backend_tokenizer.encode(text)
    return list(zip(one.tokens, one.offsets, strict=True))


@pytest.mark.parametrize("make", KINDS)
def test_given_texts_keep_their_segmentation(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    before = make()
    after = vocabulary.trim(loaded(before), TASK).tokenizer

    assert len(after) < len(before)
    for text in TASK:
        assert spans(after, text) == spans(before, text)


def test_a_teacher_is_asked_about_the_trimmed_student_s_own_pieces() -> None:
    """Its layers are compared token by token, on texts that the trimming has not seen too."""
    model = loaded(word_piece())
    trimmed = vocabulary.trim(model, TASK)
    rows = encoding.encode(trimmed.tokenizer, UNSEEN, 40)
    whole = encoding.encode(model.tokenizer, UNSEEN, 40)
    assert len(rows[0]["input_ids"]) > len(whole[0]["input_ids"]), "'savings' was not kept"
    theirs = encoding.TeachersIds(rows, trimmed.tokenizer, model.tokenizer)
    for row in encoding.Rows(rows, {}, theirs):
        own = trimmed.tokenizer.convert_ids_to_tokens(row["input_ids"])
        assert model.tokenizer.convert_ids_to_tokens(row["teacher_input_ids"]) == own
        assert row["teacher_attention_mask"] == row["attention_mask"]


@pytest.mark.parametrize("make", KINDS)
def test_unseen_texts_fall_back_to_smaller_pieces(
    make: Callable[[], PreTrainedTokenizerFast],
) -> None:
    before = make()
    after = vocabulary.trim(loaded(before), TASK).tokenizer

    unknown = before.unk_token
    for text in UNSEEN:
        now = after.backend_tokenizer.encode(text)
        was = before.backend_tokenizer.encode(text)
        assert len(now.ids) >= len(was.ids)
        assert now.tokens.count(unknown) <= was.tokens.count(unknown)
        # what was readable before stands at the same characters
        assert now.offsets[-2][1] == was.offsets[-2][1]


@pytest.mark.parametrize("make", KINDS)
def test_trimming_twice_changes_nothing_more(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    once = vocabulary.trim(loaded(make()), TASK)
    twice = vocabulary.trim(once, TASK)

    assert twice.tokenizer.get_vocab() == once.tokenizer.get_vocab()
    assert torch.equal(logits(twice, TASK), logits(once, TASK))


@pytest.mark.parametrize(
    ("architecture", "make"),
    [
        ("bert", word_piece),
        ("bert", unigram),
        ("electra", word_piece),
        ("distilbert", lambda: word_piece(types=False)),
        ("pooled_encoder", word_piece),
        ("roberta", byte_level),
    ],
)
def test_given_texts_keep_their_logits(
    architecture: str, make: Callable[[], PreTrainedTokenizerFast]
) -> None:
    before = loaded(make(), architecture)
    weights = {name: weight.clone() for name, weight in before.model.state_dict().items()}
    names, size = before.tokenizer.get_vocab(), before.model.config.vocab_size

    after = vocabulary.trim(before, TASK)

    assert torch.equal(logits(after, TASK), logits(before, TASK))
    embedding = after.model.get_input_embeddings()
    assert isinstance(embedding, torch.nn.Embedding)
    assert embedding.num_embeddings == after.model.config.vocab_size == len(after.tokenizer) < size
    assert embedding.padding_idx == after.tokenizer.pad_token_id == after.model.config.pad_token_id
    # the given one is as it was
    assert before.tokenizer.get_vocab() == names
    assert before.model.config.vocab_size == size
    for name, weight in before.model.state_dict().items():
        assert torch.equal(weight, weights[name])


def test_roberta_positions_count_from_where_they_did() -> None:
    after = vocabulary.trim(loaded(byte_level(), "roberta"), TASK)

    assert after.model.config.pad_token_id == after.tokenizer.pad_token_id == 1
    positions = after.model.get_submodule("roberta.embeddings.position_embeddings")
    assert positions.padding_idx == 1


def test_roberta_with_a_late_pad_keeps_what_stands_before_it() -> None:
    # positions start behind the padding index, so that moving it would shift them all
    before = loaded(byte_level(), "roberta")
    config = before.model.config
    config.pad_token_id = 30
    config.vocab_size, config.max_position_embeddings = len(before.tokenizer), 80
    model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    before = LoadedModel(model=model.eval(), tokenizer=before.tokenizer)

    after = vocabulary.trim(before, TASK)

    assert after.model.config.pad_token_id == 30
    assert torch.equal(logits(after, TASK), logits(before, TASK))


def test_pairs_and_their_token_types() -> None:
    pairs: list[Text] = [("move my money", "the weather"), ("lowest", "what is the bank")]
    before = loaded(word_piece())
    after = vocabulary.trim(before, pairs)

    assert torch.equal(logits(after, pairs), logits(before, pairs))
    assert encoding.encode(after.tokenizer, pairs, 36)[0]["token_type_ids"][-1] == 1


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "electra", "roberta"])
def test_a_masked_language_model_keeps_its_output_rows(architecture: str) -> None:
    make = (
        byte_level
        if architecture == "roberta"
        else lambda: word_piece(types=architecture == "bert")
    )
    before = loaded(make(), architecture, AutoModelForMaskedLM)
    with torch.no_grad():  # the bias starts out as zeros
        for name, weight in before.model.named_parameters():
            if name.endswith("bias"):
                weight.normal_()
    after = vocabulary.trim(before, TASK)

    names = before.tokenizer.get_vocab()
    rows = sorted(names[token] for token in after.tokenizer.get_vocab())
    # over fewer columns BLAS may sum in another order
    torch.testing.assert_close(logits(after, TASK), logits(before, TASK)[..., rows])
    outputs = after.model.get_output_embeddings()  # type: ignore[no-untyped-call]
    assert isinstance(outputs, torch.nn.Linear)
    assert outputs.weight is after.model.get_input_embeddings().weight


def test_a_saved_one_is_read_back_the_same(storage_root: Path, tmp_path: Path) -> None:
    after = vocabulary.trim(loaded(byte_level(), "roberta"), TASK)
    expected = logits(after, TASK)
    folder = tmp_path / "saved"
    after.model.save_pretrained(folder)
    after.tokenizer.save_pretrained(folder)

    back = checkpoints.load_folder(folder)

    assert back.tokenizer.get_vocab() == after.tokenizer.get_vocab()
    assert torch.equal(logits(back, TASK), expected)
    assert back.tokenizer.model_max_length == 40
    # what is served reads tokenizer.json alone
    card = Card(name="x", label_names=("a",), max_length=36, is_pair=False, pad_token_id=1)
    served = TextEncoder(folder, card)(TASK)["input_ids"]
    assert served.tolist() == after.tokenizer(TASK, padding=True)["input_ids"]
    # the same content twice: nothing of this process or folder gets in
    assert checkpoints.save(after) == checkpoints.save(
        vocabulary.trim(loaded(byte_level(), "roberta"), TASK)
    )


def test_the_random_state_and_the_model_s_state_stay() -> None:
    before = loaded(word_piece())
    before.model.train()
    before.model.get_input_embeddings().weight.requires_grad = False
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    after = vocabulary.trim(before, TASK)

    assert torch.equal(torch.rand(3), expected)
    assert after.model.training
    assert not after.model.get_input_embeddings().weight.requires_grad


def test_added_and_special_tokens_stay_in_their_order() -> None:
    before = word_piece()
    before.add_tokens(["<name>"])
    after = vocabulary.trim(loaded(before), TASK).tokenizer

    assert after.convert_tokens_to_ids(SPECIAL) == [0, 1, 2, 3, 4]  # [unused0] stood between
    assert "[unused0]" not in after.get_vocab()
    assert "<name>" in after.tokenize("my <name>")
    assert after.special_tokens_map == before.special_tokens_map
    assert after.model_input_names == before.model_input_names


def test_a_piece_no_characters_stand_in_for_stays() -> None:
    numbered = {token: i for i, token in enumerate([*SPECIAL, "a", "##a", "aa", "qa"])}
    tokenizer = Tokenizer(models.WordPiece(numbered, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    after = vocabulary.trim(loaded(_fast(tokenizer)), []).tokenizer

    assert after.tokenize("aa qa") == ["a", "##a", "qa"]


def test_truncation_left_on_hides_no_tokens() -> None:
    before = loaded(word_piece())
    encoding.encode(before.tokenizer, CORPUS, max_length=4)
    text = "move my money to the savings bank now"
    after = vocabulary.trim(before, [text])

    assert before.tokenizer.tokenize(text)[-1] == "now"
    assert after.tokenizer.tokenize(text) == before.tokenizer.tokenize(text)


def test_a_vocabulary_without_smaller_pieces_is_refused() -> None:
    numbered = {token: i for i, token in enumerate([*SPECIAL, "move", "money"])}
    tokenizer = Tokenizer(models.WordLevel(numbered, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(UserError, match="kind WordLevel has no smaller pieces"):
        vocabulary.trim(loaded(_fast(tokenizer)), ["move money"])


def test_a_tokenizer_larger_than_its_model_is_refused() -> None:
    before = loaded(word_piece())
    before.tokenizer.add_tokens(["<name>"])
    with pytest.raises(UserError, match="resize the model's embedding"):
        vocabulary.trim(before, TASK)


def test_a_difference_is_never_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_ancestors", lambda kept, model: set())
    with pytest.raises(RuntimeError, match=r"segments .* differently"):
        vocabulary.trim(loaded(plain_bpe()), TASK)


def test_clinc150_with_a_real_encoder(
    shared_data: Path, shared_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import pyarrow.parquet

    texts = pyarrow.parquet.read_table(shared_data / "clinc150/train.parquet")["text"].to_pylist()
    encoder = checkpoints.load_folder(shared_models / "all-MiniLM-L6-v2")
    config = PooledEncoderConfig(encoder=encoder.model.config, num_labels=7)
    config.encoder.num_hidden_layers = 1
    pooled = PooledEncoder(config)
    words = AutoModel.from_pretrained(shared_models / "all-MiniLM-L6-v2").get_input_embeddings()
    pooled.set_input_embeddings(words)
    pooled.train(False)
    before = LoadedModel(model=pooled, tokenizer=encoder.tokenizer)

    with caplog.at_level(logging.INFO, "distillery.vocabularies.vocabulary"):
        after = vocabulary.trim(before, texts)

    kept = len(after.tokenizer)
    assert 2_000 < kept < 8_000
    assert f"vocabulary: {kept} of 30522 tokens stay" in caplog.text
    shown = texts[::500]
    assert torch.equal(logits(after, shown), logits(before, shown))
    assert after.tokenizer.tokenize("zebrafish")  # unseen
    assert "[UNK]" not in after.tokenizer.tokenize("antidisestablishmentarianism zebrafish")


def test_rare_tokens_fall_back_where_they_must_be_seen_more_often(tmp_path: Path) -> None:
    loaded = make_teacher(tmp_path)
    texts = ["move move money", "money bank"]
    kept = vocabulary.needed(loaded.tokenizer, texts, seen_at_least=2)
    names = loaded.tokenizer.convert_ids_to_tokens(sorted(kept))
    assert {"move", "money"} <= set(names)
    assert "bank" not in names
