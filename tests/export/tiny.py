"""Random models of a few kilobytes, in the layout that training leaves behind."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

from distillery.architectures.bilstm import BiLstmConfig
from distillery.architectures.pooled_encoder import PooledEncoderConfig

LABELS = ("no", "yes", "perhaps", "never", "ever")
LAYERS = 2
HEADS = 4
HIDDEN_SIZE = 32
ARCHITECTURES = ("bert", "roberta", "electra", "distilbert", "pooled_encoder")
RECURRENT = ("bilstm", "siamese_bilstm")

_WORDS = [*"abcdefgh", "move", "my", "money", "to", "the", "bank", "now", "please", "weather"]
VOCABULARY = {
    token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS])
}
TEXTS = [
    " ".join(_WORDS[(start * 7 + i) % len(_WORDS)] for i in range(1 + start * 5 % 13))
    for start in range(40)
]


def config(architecture: str, *, dropout: float = 0.1) -> PretrainedConfig:
    """Two layers of 32; weights spread widely, so that rows really differ."""
    size = len(VOCABULARY)
    labels: dict[str, Any] = {
        "num_labels": len(LABELS),
        "vocab_size": size,
        "max_position_embeddings": 40,
        "initializer_range": 0.3,
        "pad_token_id": 0,
    }
    if architecture in RECURRENT:
        return BiLstmConfig(
            vocab_size=size,
            embedding_size=24,
            hidden_size=HIDDEN_SIZE,
            fully_connected_size=20,
            dropout=dropout,
            siamese=architecture == "siamese_bilstm",
            num_labels=len(LABELS),
        )
    if architecture == "distilbert":
        return DistilBertConfig(
            dim=HIDDEN_SIZE,
            n_layers=LAYERS,
            n_heads=HEADS,
            hidden_dim=48,
            dropout=dropout,
            attention_dropout=dropout,
            seq_classif_dropout=dropout,
            **labels,
        )
    body: dict[str, Any] = {
        **labels,
        "hidden_size": HIDDEN_SIZE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 48,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "classifier_dropout": dropout,
    }
    match architecture:
        case "bert":
            return BertConfig(**body)
        case "roberta":
            return RobertaConfig(**body, type_vocab_size=1, bos_token_id=2, eos_token_id=3)
        case "pooled_encoder":
            return PooledEncoderConfig(
                encoder=BertConfig(**body), num_labels=len(LABELS), initializer_range=0.3
            )
        case "electra":
            return ElectraConfig(**body, embedding_size=16)
    raise ValueError(architecture)


def save_checkpoint(folder: Path, architecture: str = "bert", *, dropout: float = 0.1) -> Path:
    """A model with random weights (the same each time) and its WordPiece tokenizer."""
    torch.manual_seed(0)
    made = config(architecture, dropout=dropout)
    model = AutoModelForSequenceClassification.from_config(made)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    words = Tokenizer(WordPiece(VOCABULARY, unk_token="[UNK]"))
    words.normalizer = BertNormalizer()
    words.pre_tokenizer = BertPreTokenizer()
    words.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    return folder
