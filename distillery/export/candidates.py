"""A checkpoint in the forms in which it could run: PyTorch → ONNX fp32, fused → quantized.

Each step is held against the one before it on real examples. A step that went too far does not stop
the run: its candidate says so in ``parities``, and is not promoted.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import onnx
from tokenizers import Tokenizer
from transformers import AutoConfig

import distillery.architectures  # noqa: F401  makes them known to the Auto classes
from distillery import storage
from distillery.data.examples import singles
from distillery.export import fusion, parity, pytorch_to_onnx, saving, tables
from distillery.export.quantization.base import Material
from distillery.nouns import Candidate, Checkpoint
from distillery.recipe import AnyQuantization, Export
from distillery.runtimes.base import Card, Example, encoder_of
from distillery.runtimes.opening import open_engine

_ONNX = "model.onnx"
_SAFETENSORS = "model.safetensors"
_CHUNK = 4096  # texts tokenized at once: enough for the Rust threads, little to hold


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
    """Exported and fused; each held against what it began with.

    Raises ``fusion.FusionError`` where the graph was not recognized.
    """
    source = storage.fetch(checkpoint.artifact)
    name = f"{checkpoint.name} fp32"
    config = AutoConfig.from_pretrained(source, local_files_only=True)
    compared = _spread(texts, limits.parity_rows)
    with storage.new_folder() as folder, storage.new_folder() as work:
        card = _card(checkpoint, source, name, is_pair=is_pair)
        traced, reference = work / "traced", work / "reference"
        for made in (traced, reference):
            made.mkdir()
        pytorch_to_onnx.export(source, traced / _ONNX)
        fused_operators = fusion.fuse(
            traced / _ONNX,
            folder / _ONNX,
            heads=config.num_attention_heads,
            hidden_size=config.hidden_size,
            layers=config.num_hidden_layers,
        )
        for made in (traced, folder):
            _copy_tokenizer(source, made)
            card.write(made)
        # the reference is a checkpoint with a card; links, since nothing is written to it
        for path in source.iterdir():
            (reference / path.name).symlink_to(path)
        card.write(reference)
        steps = [
            parity.compare(
                open_engine(before, runtime),
                open_engine(after, "onnxruntime"),
                compared,
                step=step,
                against=against,
            )
            for step, before, runtime, after, against in (
                ("export", reference, "pytorch", traced, f"{checkpoint.name} pytorch"),
                ("fusion", traced, "onnxruntime", folder, "the exported graph"),
            )
        ]
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
        parities=tuple(parity.exact(step, limits) for step in steps),
    )


def quantized_candidate(
    fp32: Candidate,
    quantization: AnyQuantization,
    train: Sequence[Example],
    texts: Sequence[Example],
    limits: Export,
    cpu_flags: Sequence[str],
) -> Candidate:
    """Quantized for the CPU with these flags: tables first, then the rest, each step held against
    the graph it began with on ``texts``. ``train`` are what it may be calibrated on.
    """
    source = storage.fetch(fp32.artifact)
    name = f"{fp32.checkpoint_name} {quantization.named(limits.tables)}"
    compared = _spread(texts, limits.parity_rows)
    with storage.new_folder() as folder, storage.new_folder() as small:
        card = Card(**{**Card.read(source).__dict__, "name": name})
        for made in (small, folder):
            _copy_tokenizer(source, made)
            card.write(made)
        model = onnx.load(source / _ONNX)
        steps = []
        last, against = source, fp32.name
        if quantization.has_small_tables and tables.compress(
            model.graph, limits.tables, _seen(source, train) if limits.tables.shared_rows else ()
        ):
            saving.save(model, small / _ONNX)
            steps.append(("embedding tables", last, small, against))
            last, against = small, "the same with smaller tables"
        encode = encoder_of(source, card)
        material = Material(
            cpu_flags=cpu_flags,
            samples=lambda rows: [encode([example]) for example in _spread(train, rows)],
        )
        saving.save(quantization.quantized(model, material), folder / _ONNX)
        steps.append((quantization.label, last, folder, against))
        found = [
            parity.compare(
                open_engine(before, "onnxruntime"),
                open_engine(after, "onnxruntime"),
                compared,
                step=step,
                against=begun,
            )
            for step, before, after, begun in steps
        ]
        size_bytes = (folder / _ONNX).stat().st_size
        artifact = storage.put(folder, "candidate")
    return Candidate(
        name=name,
        role=fp32.role,
        runtime="onnxruntime",
        precision=quantization.precision,
        artifact=artifact,
        size_bytes=size_bytes,
        checkpoint_name=fp32.checkpoint_name,
        checkpoint_digest=fp32.checkpoint_digest,
        parent_digest=fp32.digest,
        label_names=fp32.label_names,
        fused_operators=fp32.fused_operators,
        # what is made of a broken graph is as broken, however near it stays to it
        parities=(*fp32.parities, *(parity.near(one, limits) for one in found)),
    )


def _seen(folder: Path, examples: Sequence[Example]) -> set[int]:
    """The token ids that these texts are read as, whole, and the special ones."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    seen = {token for token, of in tokenizer.get_added_tokens_decoder().items() if of.special}
    texts = singles(examples)
    for start in range(0, len(texts), _CHUNK):
        for encoding in tokenizer.encode_batch_fast(texts[start : start + _CHUNK]):
            seen.update(encoding.ids)
    return seen


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
