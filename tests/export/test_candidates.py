"""A checkpoint becomes candidates that engines open, and broken ones say so."""

from pathlib import Path

import numpy as np
import pytest

from distillery import storage
from distillery.export import candidates
from distillery.export.quantization.base import Tables
from distillery.export.quantization.fp16 import Fp16
from distillery.export.quantization.int8 import Int8
from distillery.nouns import Candidate, Checkpoint
from distillery.recipe import Export
from distillery.runtimes.opening import open_engine

from . import tiny

FLAGS = ("avx512_vnni",)


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(tmp_path / "storage"))
    with storage.new_folder() as folder:
        tiny.save_checkpoint(folder)
        artifact = storage.put(folder, "checkpoint")
    return Checkpoint(
        name="two-layers",
        role="student",
        artifact=artifact,
        seed=13,
        parameters=1,
        label_names=tiny.LABELS,
        max_length=24,
        parent_digest=None,
        history=(),
        best_epoch=1,
        training_seconds=1,
        tracking_run_id=None,
    )


def _answers(candidate: Candidate) -> np.ndarray:
    engine = open_engine(storage.fetch(candidate.artifact), candidate.runtime, threads=1)
    assert engine.card.name == candidate.name
    assert engine.card.label_names == candidate.label_names
    return engine.predict(tiny.TEXTS)


def test_three_forms_of_one_checkpoint(checkpoint: Checkpoint) -> None:
    limits = Export(parity_rows=16, quantized_max_label_flip_rate=0.5)
    pytorch = candidates.pytorch_candidate(checkpoint, is_pair=False)
    fp32 = candidates.fp32_candidate(checkpoint, tiny.TEXTS, limits, is_pair=False)
    int8 = candidates.quantized_candidate(fp32, Int8(), tiny.TEXTS, tiny.TEXTS, limits, FLAGS)

    assert [one.name for one in (pytorch, fp32, int8)] == [
        "two-layers pytorch",
        "two-layers fp32",
        "two-layers int8",
    ]
    assert [one.runtime for one in (pytorch, fp32, int8)] == [
        "pytorch",
        "onnxruntime",
        "onnxruntime",
    ]
    assert fp32.fused_operators["Attention"] == tiny.LAYERS
    assert int8.parent_digest == fp32.digest
    assert int8.size_bytes < fp32.size_bytes
    assert {one.checkpoint_digest for one in (pytorch, fp32, int8)} == {checkpoint.digest}

    assert [(one.step, one.against) for one in fp32.parities] == [
        ("export", "two-layers pytorch"),
        ("fusion", "the exported graph"),
    ]
    assert {one.rows for one in fp32.parities} == {16}
    assert max(one.max_abs_logit_difference for one in fp32.parities) < 1e-4
    assert fp32.parity_failure is None
    assert int8.parities[:2] == fp32.parities
    assert [(one.step, one.against) for one in int8.parities[2:]] == [
        ("embedding tables", "two-layers fp32"),
        ("int8", "the same with smaller tables"),
    ]
    assert min(one.max_abs_logit_difference for one in int8.parities[2:]) > 0
    np.testing.assert_allclose(_answers(fp32), _answers(pytorch), atol=1e-4)
    assert np.abs(_answers(int8) - _answers(fp32)).mean() < 0.2


def test_made_again_they_are_the_same(checkpoint: Checkpoint) -> None:
    limits = Export(parity_rows=8)
    first = candidates.fp32_candidate(checkpoint, tiny.TEXTS, limits, is_pair=False)
    second = candidates.fp32_candidate(checkpoint, tiny.TEXTS, limits, is_pair=False)
    assert first == second
    assert candidates.quantized_candidate(
        first, Int8(), tiny.TEXTS, tiny.TEXTS, limits, FLAGS
    ) == candidates.quantized_candidate(second, Int8(), tiny.TEXTS, tiny.TEXTS, limits, FLAGS)


def test_a_failed_parity_is_told_not_raised(checkpoint: Checkpoint) -> None:
    strict = Export(
        parity_rows=40, fp32_max_abs_logit_difference=1e-12, quantized_max_label_flip_rate=1e-9
    )
    lenient = Export(parity_rows=40)
    fp32 = candidates.fp32_candidate(checkpoint, tiny.TEXTS, strict, is_pair=False)
    assert fp32.parity_failure is not None
    assert fp32.parity_failure.startswith("export moved a logit by ")
    assert fp32.parity_failure.endswith("against two-layers pytorch, above the limit of 1e-12")
    # what is made from a broken graph is broken, whatever its own parity
    int8 = candidates.quantized_candidate(fp32, Int8(), tiny.TEXTS, tiny.TEXTS, lenient, FLAGS)
    assert int8.parity_failure == fp32.parity_failure


def test_pairs(checkpoint: Checkpoint) -> None:
    pairs = [(text, "is the weather") for text in tiny.TEXTS]
    fp32 = candidates.fp32_candidate(checkpoint, pairs, Export(), is_pair=True)
    assert fp32.parity_failure is None
    folder = storage.fetch(fp32.artifact)
    assert open_engine(folder, "onnxruntime").card.is_pair


def test_tables_that_are_not_the_default_stand_in_the_name(checkpoint: Checkpoint) -> None:
    limits = Export(parity_rows=16, quantized_max_label_flip_rate=0.5)
    fp32 = candidates.fp32_candidate(checkpoint, tiny.TEXTS, limits, is_pair=False)
    wide = limits.model_copy(update={"tables": Tables(bits=8, shared_rows=16)})
    made = candidates.quantized_candidate(fp32, Int8(), tiny.TEXTS, tiny.TEXTS, wide, FLAGS)
    assert made.name == "two-layers int8 8-bit-tables shared-16"
    half = candidates.quantized_candidate(fp32, Fp16(), tiny.TEXTS, tiny.TEXTS, wide, FLAGS)
    assert half.name == "two-layers fp16", "it keeps its tables in 16 bits"
