"""distillery's own forms of a checkpoint."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from distillery import storage
from distillery.benchmarking.fingerprint import fingerprint
from distillery.export import candidates
from distillery.export.quantization.base import Tables
from distillery.export.quantization.int8 import Int8
from distillery.nouns import Candidate, Checkpoint
from distillery.recipe import Export
from distillery.runtimes.base import Example

SETTINGS = {
    "distillery int8": Export(quantizations=(Int8(),)),
    "distillery int8, 8-bit tables": Export(quantizations=(Int8(),), tables=Tables(bits=8)),
    "distillery int8, shared rows": Export(quantizations=(Int8(),), tables=Tables(shared_rows=512)),
}
"""By the name that stands in the results: what of our export is held against the peers."""


def made(
    checkpoint: Checkpoint, train: Sequence[Example], texts: Sequence[Example]
) -> dict[str, Candidate]:
    """One candidate a setting. ``train`` may be calibrated on, ``texts`` are for parity."""
    fp32 = candidates.fp32_candidate(checkpoint, texts, Export(), is_pair=False)
    flags = fingerprint().cpu_flags
    return {
        name: candidates.quantized_candidate(fp32, quantization, train, texts, export, flags)
        for name, export in SETTINGS.items()
        for quantization in export.quantizations
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
