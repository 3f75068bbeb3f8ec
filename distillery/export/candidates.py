"""A checkpoint in the forms in which it could run: PyTorch → ONNX fp32, fused → int8.

Each step is held against the one before it on real examples. A step that went too far does not stop
the run: its candidate says so in ``parity_failure``, and is not promoted.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from transformers import AutoConfig

import distillery.architectures  # noqa: F401  makes them known to the Auto classes
from distillery import storage
from distillery.export import fusion, int8_dynamic, parity, pytorch_to_onnx
from distillery.nouns import Candidate, Checkpoint, Parity
from distillery.recipe import Export
from distillery.runtimes.base import Card, Example
from distillery.runtimes.opening import open_engine

_ONNX = "model.onnx"
_SAFETENSORS = "model.safetensors"


def pytorch_candidate(checkpoint: Checkpoint, *, is_pair: bool) -> Candidate:
    """The checkpoint as it is: what every speed-up is counted from."""
    source = storage.fetch(checkpoint.artifact)
    name = f"{checkpoint.name} pytorch"
    with storage.new_folder() as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)
        _card(checkpoint, source, name, is_pair=is_pair).write(folder)
        size_bytes = (folder / _SAFETENSORS).stat().st_size
        artifact = storage.put(folder, "candidate")
    return Candidate(
        name=name,
        role=checkpoint.role,
        runtime="pytorch",
        precision="fp32",
        artifact=artifact,
        size_bytes=size_bytes,
        checkpoint_name=checkpoint.name,
        checkpoint_digest=checkpoint.digest,
        parent_digest=None,
        label_names=checkpoint.label_names,
    )


def fp32_candidate(
    checkpoint: Checkpoint, texts: Sequence[Example], limits: Export, *, is_pair: bool
) -> Candidate:
    """Exported and fused; held against PyTorch.

    Raises ``fusion.FusionError`` where the graph was not recognized.
    """
    source = storage.fetch(checkpoint.artifact)
    name = f"{checkpoint.name} fp32"
    config = AutoConfig.from_pretrained(source, local_files_only=True)
    with storage.new_folder() as folder, storage.new_folder() as work:
        pytorch_to_onnx.export(source, work / "traced.onnx")
        fused_operators = fusion.fuse(
            work / "traced.onnx",
            folder / _ONNX,
            heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            layers=config.num_hidden_layers,
        )
        _copy_tokenizer(source, folder)
        card = _card(checkpoint, source, name, is_pair=is_pair)
        card.write(folder)
        # the reference is a checkpoint with a card; links, since nothing is written to it
        reference = work / "reference"
        reference.mkdir()
        for path in source.iterdir():
            (reference / path.name).symlink_to(path)
        card.write(reference)
        found = parity.compare(
            open_engine(reference, "pytorch"),
            open_engine(folder, "onnxruntime"),
            _spread(texts, limits.parity_rows),
            against=f"{checkpoint.name} pytorch",
        )
        size_bytes = (folder / _ONNX).stat().st_size
        artifact = storage.put(folder, "candidate")
    return Candidate(
        name=name,
        role=checkpoint.role,
        runtime="onnxruntime",
        precision="fp32",
        artifact=artifact,
        size_bytes=size_bytes,
        checkpoint_name=checkpoint.name,
        checkpoint_digest=checkpoint.digest,
        parent_digest=None,
        label_names=checkpoint.label_names,
        fused_operators=fused_operators,
        parity=found,
        parity_failure=_fp32_failure(found, limits),
    )


def int8_candidate(
    fp32: Candidate, texts: Sequence[Example], limits: Export, cpu_flags: Sequence[str]
) -> Candidate:
    """Quantized for the CPU with these flags; held against the fp32 graph it was made from."""
    source = storage.fetch(fp32.artifact)
    name = f"{fp32.checkpoint_name} int8"
    with storage.new_folder() as folder:
        int8_dynamic.quantize(source / _ONNX, folder / _ONNX, cpu_flags=cpu_flags)
        _copy_tokenizer(source, folder)
        card = Card.read(source)
        Card(**{**card.__dict__, "name": name}).write(folder)
        found = parity.compare(
            open_engine(source, "onnxruntime"),
            open_engine(folder, "onnxruntime"),
            _spread(texts, limits.parity_rows),
            against=fp32.name,
        )
        size_bytes = (folder / _ONNX).stat().st_size
        artifact = storage.put(folder, "candidate")
    return Candidate(
        name=name,
        role=fp32.role,
        runtime="onnxruntime",
        precision="int8",
        artifact=artifact,
        size_bytes=size_bytes,
        checkpoint_name=fp32.checkpoint_name,
        checkpoint_digest=fp32.checkpoint_digest,
        parent_digest=fp32.digest,
        label_names=fp32.label_names,
        fused_operators=fp32.fused_operators,
        parity=found,
        # an int8 graph of a broken fp32 graph is as broken, however well it was quantized
        parity_failure=fp32.parity_failure or _int8_failure(found, limits),
    )


def _card(checkpoint: Checkpoint, source: Path, name: str, *, is_pair: bool) -> Card:
    """What the checkpoint's own files say; nothing of the run, so that digests repeat."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    return Card(
        name=name,
        label_names=checkpoint.label_names,
        max_length=checkpoint.max_length,
        is_pair=is_pair,
        pad_token_id=config.get("pad_token_id") or 0,
        kind="image" if "image_shape" in config else "text",
        image_shape=tuple(config["image_shape"]) if "image_shape" in config else None,
    )


def _copy_tokenizer(source: Path, folder: Path) -> None:
    """Where there is one: a model of images has none."""
    if (source / "tokenizer.json").is_file():
        shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")


def _spread(texts: Sequence[Example], rows: int) -> list[Example]:
    """At most so many, evenly spaced: data sets are often sorted by label."""
    count = min(rows, len(texts))
    return [texts[i * len(texts) // count] for i in range(count)]


def _fp32_failure(found: Parity, limits: Export) -> str | None:
    value, limit = found.max_abs_logit_difference, limits.fp32_max_abs_logit_difference
    if value <= limit:  # not where it is NaN
        return None
    moved = "logit" if found.rank_disagreement is None else "score"
    return (
        f"export and fusion moved a {moved} by {value:.3g} against {found.against}, "
        f"above the limit of {limit:g}"
    )


def _int8_failure(found: Parity, limits: Export) -> str | None:
    if found.rank_disagreement is not None:
        value, limit = found.rank_disagreement, limits.int8_max_rank_disagreement
        if value <= limit:
            return None
        return (
            f"quantization to int8 changed the ranks of scores by 1 − ρ = {value:.3g} against "
            f"{found.against}, above the limit of {limit:g}"
        )
    assert found.label_flip_rate is not None, "of classes"
    value, limit = found.label_flip_rate, limits.int8_max_label_flip_rate
    if value <= limit:
        return None
    return (
        f"quantization to int8 flipped {value:.2%} of the labels against {found.against}, "
        f"above the limit of {limit:.2%}"
    )
