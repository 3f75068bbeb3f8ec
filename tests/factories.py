"""Nouns with sensible defaults; a test names only what it is about."""

from pathlib import Path
from typing import Any

from distillery import storage
from distillery.benchmarking.plan import Entry
from distillery.measurements import Fingerprint, Measurement
from distillery.nouns import Artifact, Candidate, Checkpoint, Dataset, Parity, Quality, Split
from distillery.runtimes.base import Card
from distillery.teachers.base import LoadedModel

LABELS = ("no", "yes")
HERE = Fingerprint(
    cpu_model="a CPU",
    cpu_count=2,
    cpu_flags=("avx2",),
    memory_bytes=1 << 33,
    os="Linux",
    python="3.11.9",
    runtimes={"onnxruntime": "1.31.0"},
)


def make_artifact(kind: str, digest: str) -> Artifact:
    return Artifact(uri=f"artifacts/{kind}/{digest}", digest=digest, size_bytes=1000)


def make_dataset(name: str = "questions", **overrides: Any) -> Dataset:
    split = Split(rows=10, label_counts=(5, 5), length_histogram=(10, 0, 0, 0, 0, 0, 0))
    fields = {
        "name": name,
        "source": f"./{name}",
        "artifact": make_artifact("dataset", f"digest-of-{name}"),
        "label_names": LABELS,
        "is_pair": False,
        "train": split,
        "validation": split,
        "test": split,
        "leaked_rows_removed": 0,
        "validation_made_from_train": False,
        "test_made_from_train": False,
    }
    return Dataset.model_validate(fields | overrides)


def make_checkpoint(name: str = "small", **overrides: Any) -> Checkpoint:
    fields = {
        "name": name,
        "role": "student",
        "artifact": make_artifact("checkpoint", f"digest-of-{name}"),
        "seed": 13,
        "parameters": 1000,
        "label_names": LABELS,
        "max_length": 24,
        "parent_digest": None,
        "history": (),
        "best_epoch": 1,
        "training_seconds": 1,
        "tracking_run_id": None,
    }
    return Checkpoint.model_validate(fields | overrides)


def make_candidate(name: str = "small fp32", **overrides: Any) -> Candidate:
    """A student in ONNX Runtime; its digest is made of its name."""
    fields = {
        "name": name,
        "role": "student",
        "runtime": "onnxruntime",
        "precision": "fp32",
        "artifact": make_artifact("candidate", f"digest-of-{name}"),
        "size_bytes": 1000,
        "checkpoint_name": name.split()[0],
        "checkpoint_digest": f"digest-of-{name.split()[0]}",
        "parent_digest": None,
        "label_names": LABELS,
    }
    return Candidate.model_validate(fields | overrides)


def store_candidate(content: str) -> Candidate:
    """One whose folder is in the storage. No engine opens it: its graph is this text."""
    with storage.new_folder() as folder:
        Card(name=content, label_names=LABELS, max_length=8, is_pair=False, pad_token_id=0).write(
            folder
        )
        (folder / "model.onnx").write_text(content)
        artifact = storage.put(folder, "candidate")
    return make_candidate(f"{content} int8", precision="int8", artifact=artifact)


def make_parity(**overrides: Any) -> Parity:
    """Of a step that changed nothing."""
    fields = {
        "step": "fusion",
        "against": "the exported graph",
        "rows": 10,
        "max_abs_logit_difference": 0.0,
        "mean_abs_logit_difference": 0.0,
        "mean_kl": 0.0,
        "label_flip_rate": 0.0,
        "shapes": ((1, 4),),
    }
    return Parity.model_validate(fields | overrides)


def make_quality(candidate: Candidate, *, right: int = 90, rows: int = 100) -> Quality:
    """The first ``right`` of ``rows`` answers are right; the rest say the other label."""
    labels = tuple(i % 2 for i in range(rows))
    predictions = tuple(label if i < right else 1 - label for i, label in enumerate(labels))
    return Quality(
        candidate_name=candidate.name,
        candidate_digest=candidate.digest,
        dataset_digest="digest-of-questions",
        accuracy=right / rows,
        macro_f1=right / rows,
        rows=rows,
        predictions=predictions,
        labels=labels,
    )


def make_measurement(
    candidate: Candidate, *, latency_ms: float = 1.0, requests: int = 100, **overrides: Any
) -> Measurement:
    """Every request took the same time, unless ``latencies_ms`` says otherwise."""
    latencies_ms = overrides.pop("latencies_ms", (latency_ms,) * requests)
    model_latencies_ms = overrides.pop("model_latencies_ms", (latency_ms * 0.9,) * requests)
    fields = {
        "candidate_name": candidate.name,
        "candidate_digest": candidate.digest,
        "target": "cpu",
        "fingerprint": HERE,
        "threads": 1,
        "single_stream": (
            {
                "padding": "longest_of_batch",
                "latencies_ms": latencies_ms,
                "model_latencies_ms": model_latencies_ms,
            },
        ),
        "offline": (
            {
                "padding": "longest_of_batch",
                "batch_size": 32,
                "rows_per_second": (1000 / latency_ms,) * 3,
                "model_rows_per_second": (1100 / latency_ms,) * 3,
            },
        ),
        "load_ms": 5.0,
        "first_prediction_ms": 2.0,
        "peak_memory_bytes": 1 << 20,
        "warmup_requests": 10,
        "noise": {"steal_share": 0.0, "frequency_drift": None, "calibration_drift": 0.0},
    }
    return Measurement.model_validate(fields | overrides)


def save_candidate(folder: Path) -> Path:
    """A candidate that an engine opens: two classes from the mean token id, of four known words."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    folder.mkdir(exist_ok=True)
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["ids"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["ids", "axes"], ["mean"], keepdims=1),
        helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "S"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 2])],
        [
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axes"),
            numpy_helper.from_array(np.array([[1, -1]], dtype=np.float32), "weight"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "one": 2, "two": 3, "three": 4}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    Card(
        name="tiny", label_names=("low", "high"), max_length=8, is_pair=False, pad_token_id=0
    ).write(folder)
    return folder


def make_entry(folder: Path, name: str = "tiny fp32") -> Entry:
    """A real graph to measure."""
    return Entry(name=name, digest="d1g357", folder=save_candidate(folder), runtime="onnxruntime")


def make_teacher(folder: Path, architecture: str = "bert", *, layers: int = 4) -> LoadedModel:
    """A tiny classifier with its tokenizer; no two of its weights are alike, in eval mode."""
    import torch
    from export import tiny
    from transformers import AutoModelForSequenceClassification

    from distillery import checkpoints

    tokenizer = checkpoints.load_folder(tiny.save_checkpoint(folder, architecture)).tokenizer
    config = tiny.config(architecture)
    config.num_hidden_layers = layers
    model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():  # biases and norms start out alike
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    return LoadedModel(model=model.eval(), tokenizer=tokenizer)
