"""Checkpoints on disk: the Transformers layout, safetensors only."""

from pathlib import Path
from typing import cast

from torch import Tensor
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

import distillery.architectures  # noqa: F401  makes them known to the Auto classes
from distillery import storage
from distillery.nouns import Artifact, Checkpoint
from distillery.teachers.base import LoadedModel


def save(loaded: LoadedModel) -> Artifact:
    """Weights, configuration and, for text, the tokenizer, into the storage."""
    with storage.new_folder() as folder:
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        loaded.model.save_pretrained(folder)
        if loaded.reads_images:
            return storage.put(folder, "checkpoint")
        # what was encoded last must not become part of the content
        loaded.tokenizer.backend_tokenizer.no_truncation()
        loaded.tokenizer.backend_tokenizer.no_padding()
        loaded.tokenizer.save_pretrained(folder)
        return storage.put(folder, "checkpoint")


def load(checkpoint: Checkpoint) -> LoadedModel:
    """The verified checkpoint, in eval mode.

    Raises ``DamagedArtifactError`` where its content does not match its digest.
    """
    return load_folder(storage.fetch(checkpoint.artifact))


def load_folder(folder: Path) -> LoadedModel:
    """A checkpoint's folder, in eval mode; nothing is fetched and nothing unpickled."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=True
    )
    if model.main_input_name == "pixel_values":
        return LoadedModel(model=model.eval(), tokenizer=None)
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(  # type: ignore[assignment]
        folder, local_files_only=True
    )
    return LoadedModel(model=model.eval(), tokenizer=tokenizer)


def folder(checkpoint: Checkpoint) -> Path:
    """Where the verified checkpoint lies."""
    return storage.fetch(checkpoint.artifact)


def load_language_model(source: str | Path) -> tuple[LoadedModel, bool]:
    """A masked language model by folder or hub name, and whether its head came with it.

    Transformers fills a head that is missing with random weights, and only logs that it did.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model, told = AutoModelForMaskedLM.from_pretrained(
        source, use_safetensors=True, output_loading_info=True
    )
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(source)  # type: ignore[assignment]
    body = f"{model.base_model_prefix}."
    missing = [name for name in told["missing_keys"] if not name.startswith(body)]
    return LoadedModel(model=model.eval(), tokenizer=tokenizer), not missing


def take_over_encoder(taker: LoadedModel, giver: LoadedModel) -> None:
    """Copy the encoder's weights in place; those of tokens by the token, where vocabularies differ.

    Heads stay as they are, and so does what only one of the two encoders has, such as a pooler.
    """
    own_body = cast(PreTrainedModel, taker.model.base_model)
    body = cast(PreTrainedModel, giver.model.base_model)
    own, given = own_body.state_dict(), body.state_dict()
    own_table = cast(Tensor, own_body.get_input_embeddings().weight)
    table = cast(Tensor, body.get_input_embeddings().weight)
    words = next(name for name, weight in own.items() if weight.data_ptr() == own_table.data_ptr())
    taken = {name: weight for name, weight in given.items() if name in own and name != words}
    theirs = giver.tokenizer.get_vocab()
    rows = {
        row: theirs[token] for token, row in taker.tokenizer.get_vocab().items() if token in theirs
    }
    merged = own_table.detach().clone()
    merged[list(rows)] = table.detach()[list(rows.values())]
    own_body.load_state_dict({**own, **taken, words: merged})


def parameters(loaded: LoadedModel) -> int:
    """How many weights it has."""
    return sum(weight.numel() for weight in loaded.model.parameters())
