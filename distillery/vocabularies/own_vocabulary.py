"""A vocabulary learned from the texts at hand, for models that bring none."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WORD_START = "▁"
"""What a token begins with that begins a word; punctuation stands without it."""

_SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def learn(texts: Sequence[str], size: int, max_length: int) -> "PreTrainedTokenizerFast":
    """Byte-pair encoding with BERT's normalization and special tokens; ``size`` tokens at most.

    Not WordPiece: its trainer numbers pieces in the order of a randomly seeded hash map, so that no
    two processes agree, and a resumed training would read other words.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(WORD_START), pre_tokenizers.Punctuation()]
    )
    # the trainer takes in every character that it meets, whatever the size, and its own limit
    # leaves out others in each process
    counts = Counter[str]()
    for text in texts:
        counts.update(normalizer.normalize_str(text))
    commonest = sorted(counts, key=lambda character: (-counts[character], character))
    rare = dict.fromkeys(map(ord, commonest[size - len(_SPECIAL_TOKENS) - 1 :]), " ")
    # another normalizer: a call of the tokenizer's own while it trains waits for ever
    plain = normalizers.BertNormalizer(lowercase=True)
    common = (plain.normalize_str(text).translate(rare) for text in texts)
    tokenizer.train_from_iterator(
        common if rare else texts,
        trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=2,
            special_tokens=_SPECIAL_TOKENS,
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
        cls_token="[CLS]",  # noqa: S106
        sep_token="[SEP]",  # noqa: S106
        mask_token="[MASK]",  # noqa: S106
    )
