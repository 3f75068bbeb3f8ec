"""Checkpoints on disk: the Transformers layout, safetensors only."""

from pathlib import Path

from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

import distillery.architectures  # noqa: F401  makes them known to the Auto classes
from distillery import storage
from distillery.nouns import Artifact, Checkpoint
from distillery.teachers.base import LoadedModel


def save(loaded: LoadedModel) -> Artifact:
    """Weights, configuration and tokenizer, into the storage."""
    with storage.new_folder() as folder:
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        loaded.model.save_pretrained(folder)
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
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(  # type: ignore[assignment]
        folder, local_files_only=True
    )
    return LoadedModel(model=model.eval(), tokenizer=tokenizer)


def parameters(loaded: LoadedModel) -> int:
    """How many weights it has."""
    return sum(weight.numel() for weight in loaded.model.parameters())
