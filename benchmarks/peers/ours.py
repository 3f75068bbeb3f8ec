"""distillery's own forms of a checkpoint."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from distillery import storage
from distillery.benchmarking.fingerprint import fingerprint
from distillery.export import candidates
from distillery.nouns import Candidate, Checkpoint
from distillery.recipe import Export
from distillery.runtimes.base import Example


def made(checkpoint: Checkpoint, texts: Sequence[Example]) -> dict[str, Candidate]:
    """By the name that stands in the table: each setting of our export that is held against peers.

    ``texts`` are what parity is proven on.
    """
    limits, flags = Export(), fingerprint().cpu_flags
    fp32 = candidates.fp32_candidate(checkpoint, texts, limits, is_pair=False)
    return {
        "distillery int8": candidates.int8_candidate(fp32, texts, limits, flags),
    }


def reference(checkpoint: Checkpoint) -> Candidate:
    """The checkpoint itself, in PyTorch: what accuracy is lost from."""
    return candidates.pytorch_candidate(checkpoint, is_pair=False)


def checkpoint_of(name: str, folder: Path, max_length: int) -> Checkpoint:
    """A Transformers folder, whoever trained it; what training would tell of it is left blank."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    labels = {int(i): label for i, label in config["id2label"].items()}
    with storage.new_folder() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        artifact = storage.put(copy, "checkpoint")
    return Checkpoint(
        name=name,
        role="teacher",
        artifact=artifact,
        seed=0,
        parameters=0,
        label_names=tuple(labels[i] for i in range(len(labels))),
        max_length=max_length,
        parent_digest=None,
        history=(),
        best_epoch=0,
        training_seconds=0,
        tracking_run_id=None,
    )
