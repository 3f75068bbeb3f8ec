"""The gates asked again from a version's tags: the judge's answer, and never a guess."""

from typing import Any

import pytest
from factories import make_candidate, make_measurement, make_parity, make_quality
from hypothesis import given
from hypothesis import strategies as st

from distillery.nouns import Facts, Ruling
from distillery.recipe import Gates
from distillery.registry.recheck import FACT_TAGS, as_tags, from_tags, recheck
from distillery.verdict import judge

OURS = {"distillery.digest": "d", "distillery.role": "student"}
GOOD = Facts(
    label_kind="class",
    merit=0.9,
    merit_kept=0.97,
    latency_p95_ms=1.5,
    size_bytes=1000,
    speedup=12.0,
)


def _tags(**overrides: Any) -> dict[str, str]:
    return OURS | as_tags(GOOD.model_copy(update=overrides))


@pytest.mark.parametrize(
    ("gates", "passed", "reason"),
    [
        ({}, True, "no gate limits it"),
        ({"accuracy_kept_min": 0.95}, True, "accuracy kept 97.00% ≥ 95.00%"),
        ({"accuracy_kept_min": 0.98}, False, "accuracy kept 97.00% < 98.00%"),
        ({"accuracy_min": 0.91}, False, "accuracy 90.00% < 91.00%"),
        ({"latency_p95_ms_max": 1.4}, False, "p95 1.50 ms > 1.40 ms"),
        ({"size_bytes_max": 999}, False, "size 1,000 bytes > 999 bytes"),
        ({"speedup_min": 13}, False, "speed-up 12.0× < 13.0×"),
    ],
)
def test_each_gate_is_asked(gates: dict[str, Any], passed: bool, reason: str) -> None:
    found = recheck(Gates.model_validate(gates), _tags())
    assert (found.passed, found.reasons) == (passed, (reason,))


@pytest.mark.parametrize(
    ("gate", "tag"),
    [
        ("accuracy_kept_min", "accuracy_kept"),
        ("accuracy_min", "accuracy"),
        ("latency_p95_ms_max", "latency_p95_ms"),
        ("size_bytes_max", "size_bytes"),
        ("speedup_min", "speedup"),
    ],
)
def test_a_fact_that_a_gate_needs_must_be_there(gate: str, tag: str) -> None:
    tags = _tags()
    del tags[f"distillery.{tag}"]
    found = recheck(Gates.model_validate({gate: 1}), tags)
    assert not found.passed
    assert f"the gate {gate} needs the tag distillery.{tag}" in found.reasons[0]
    assert recheck(Gates(), tags).passed, "no gate needs it"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"distillery.digest": ""}, "not registered by distillery"),
        ({"distillery.role": ""}, "not registered by distillery"),
        ({"distillery.role": "control"}, "control: trained to compare with, never promoted"),
        ({"distillery.parity_failure": "int8 changed 9% of labels"}, "int8 changed 9% of labels"),
        ({"distillery.speedup": "fast"}, "its tag distillery.speedup is no number: 'fast'"),
        ({"distillery.speedup": "inf"}, "is no number"),
        ({"distillery.latency_p95_ms": "nan"}, "is no number"),
    ],
)
def test_what_no_gate_excuses_is_refused(changed: dict[str, str], reason: str) -> None:
    found = recheck(Gates(), _tags() | changed)
    assert not found.passed
    assert reason in found.reasons[0]


def test_scores_are_told_as_what_they_are() -> None:
    tags = _tags(label_kind="score", merit=0.8)
    found = recheck(Gates(accuracy_min=0.85, accuracy_kept_min=0.95), tags)
    assert found.reasons == ("Spearman ρ 0.8000 < 0.8500",)


def test_the_judge_and_the_tags_say_the_same() -> None:
    teacher = make_candidate("teacher pytorch", role="teacher", runtime="pytorch")
    students = [
        make_candidate("small fp32"),
        make_candidate("small int8", parities=(make_parity(failure="int8 went too far"),)),
        make_candidate("slow fp32"),
    ]
    candidates = [teacher, *students]
    latencies = dict(zip([c.name for c in candidates], (9.0, 1.0, 0.5, 8.0), strict=True))
    gates = Gates(accuracy_kept_min=0.95, speedup_min=3, latency_p95_ms_max=5, accuracy_min=0.9)
    verdict = judge(
        gates=gates,
        candidates=candidates,
        qualities=[make_quality(c, right=95) for c in candidates],
        measurements=[make_measurement(c, latency_ms=latencies[c.name]) for c in candidates],
        target="cpu",
        champion_digest=None,
    )
    told: dict[str, Ruling] = {one.candidate_name: one for one in verdict.rulings}
    for student in students:
        ruling = told[student.name]
        assert ruling.facts is not None
        found = recheck(gates, OURS | as_tags(ruling.facts))
        assert (found.passed, found.reasons) == (ruling.passed, ruling.reasons)
    assert told["teacher pytorch"].facts is None, "it is the reference"


@given(right=st.integers(0, 5500), of=st.integers(1, 5500), limit=st.integers(1, 100))
def test_a_share_at_the_limit_is_the_same_after_a_round_trip(
    right: int, of: int, limit: int
) -> None:
    facts = GOOD.model_copy(update={"merit": right / 5500, "merit_kept": right / of})
    gates = Gates(accuracy_kept_min=limit / 100, accuracy_min=limit / 100)
    read = from_tags(as_tags(facts))
    before = recheck(gates, OURS | as_tags(facts))
    assert (read.merit_kept or 0) == pytest.approx(right / of, rel=1e-11)
    assert before.passed == (right / 5500 >= limit / 100 and right / of >= limit / 100 - 1e-9)


def test_all_tags_that_are_written_are_known() -> None:
    both = {
        *as_tags(GOOD.model_copy(update={"parity_failure": "far", "cost_per_million_usd": 1.0})),
        *as_tags(GOOD.model_copy(update={"label_kind": "score"})),
    }
    assert both == FACT_TAGS
