"""A tiny masked language model with its head, and a tiny teacher."""

from pathlib import Path

import pytest
import torch
from export import tiny
from factories import make_teacher
from transformers import AutoModelForMaskedLM, PreTrainedTokenizerFast

from distillery.augmentation.masked_lm import MaskedLanguageModel
from distillery.teachers.base import LoadedModel


def save_masked_lm(folder: Path, architecture: str = "bert", *, mask: bool = True) -> Path:
    tiny.save_checkpoint(folder, architecture)
    torch.manual_seed(3)
    model = AutoModelForMaskedLM.from_config(tiny.config(architecture))  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    if mask:
        special["mask_token"] = "[MASK]"
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(folder / "tokenizer.json"), sep_token="[SEP]", **special
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def masked_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_masked_lm(tmp_path_factory.mktemp("masked-lm"))


@pytest.fixture(scope="session")
def model(masked_lm: Path) -> MaskedLanguageModel:
    return MaskedLanguageModel.load(str(masked_lm))


@pytest.fixture(scope="session")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return make_teacher(tmp_path_factory.mktemp("teacher"))
