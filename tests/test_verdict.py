"""The judge: pure, so every case is a table of candidates, qualities and measurements."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from factories import HERE, make_candidate, make_measurement, make_parity, make_quality
from hypothesis import given, settings
from hypothesis import strategies as st

from distillery.measurements import Measurement
from distillery.nouns import Candidate, Quality, Ruling, Verdict
from distillery.recipe import Gates
from distillery.verdict import judge


@dataclass(frozen=True, kw_only=True)
class Case:
    """A candidate and what was found of it."""

    candidate: Candidate
    quality: Quality
    measurement: Measurement | None

    @property
    def name(self) -> str:
        return self.candidate.name


def _case(
    name: str,
    *,
    right: int = 90,
    rows: int = 100,
    latency_ms: float = 1.0,
    measured: dict[str, Any] | None = None,
    parity_failure: str | None = None,
    **candidate: Any,
) -> Case:
    made = make_candidate(name, parities=(make_parity(failure=parity_failure),), **candidate)
    return Case(
        candidate=made,
        quality=make_quality(made, right=right, rows=rows),
        measurement=make_measurement(made, latency_ms=latency_ms, **(measured or {})),
    )


def _teacher(right: int = 100, rows: int = 100, latency_ms: float = 10.0) -> Case:
    return _case(
        "teacher pytorch",
        right=right,
        rows=rows,
        latency_ms=latency_ms,
        role="teacher",
        runtime="pytorch",
        size_bytes=9000,
    )


TEACHER = _teacher()


def _judge(
    *cases: Case,
    champion: str | None = None,
    teacher: Case = TEACHER,
    set_aside: dict[str, str] | None = None,
    **gates: Any,
) -> Verdict:
    found = (teacher, *cases)
    return judge(
        gates=Gates.model_validate(gates),
        candidates=[one.candidate for one in found],
        qualities=[one.quality for one in found],
        measurements=[one.measurement for one in found if one.measurement],
        target="cpu",
        champion_digest=None if champion is None else f"digest-of-{champion}",
        set_aside=set_aside or {},
    )


def _ruling(verdict: Verdict, name: str) -> Ruling:
    (found,) = (ruling for ruling in verdict.rulings if ruling.candidate_name == name)
    return found


# each gate alone, at its boundary and just beyond


@pytest.mark.parametrize(
    ("gate", "limit", "at", "beyond", "kept", "broken"),
    [
        (
            "accuracy_kept_min",
            0.9,
            {"right": 90},
            {"right": 89},
            "accuracy kept 90.00% ≥ 90.00%",
            "accuracy kept 89.00% < 90.00%",
        ),
        (
            "accuracy_min",
            0.9,
            {"right": 90},
            {"right": 89},
            "accuracy 90.00% ≥ 90.00%",
            "accuracy 89.00% < 90.00%",
        ),
        (
            "latency_p95_ms_max",
            2.5,
            {"latency_ms": 2.5},
            {"latency_ms": 2.51},
            "p95 2.50 ms ≤ 2.50 ms",
            "p95 2.51 ms > 2.50 ms",
        ),
        (
            "size_bytes_max",
            12_345,
            {"size_bytes": 12_345},
            {"size_bytes": 12_346},
            "size 12,345 bytes ≤ 12,345 bytes",
            "size 12,346 bytes > 12,345 bytes",
        ),
        (
            "speedup_min",
            4,
            {"latency_ms": 2.5},
            {"latency_ms": 3.0},
            "speed-up 4.0× ≥ 4.0×",
            "speed-up 3.3× < 4.0×",
        ),
    ],
)
def test_each_gate_alone(
    gate: str, limit: Any, at: dict[str, Any], beyond: dict[str, Any], kept: str, broken: str
) -> None:
    passed = _judge(_case("small fp32", **at), **{gate: limit})
    assert passed.winner_name == "small fp32"
    assert passed.winner_digest == "digest-of-small fp32"
    assert passed.promoted
    assert _ruling(passed, "small fp32").reasons == (kept,)
    assert passed.summary == f"small fp32 is promoted: {kept}."

    refused = _judge(_case("small fp32", **beyond), **{gate: limit})
    assert refused.winner_name is None
    assert refused.winner_digest is None
    assert not refused.promoted
    assert not _ruling(refused, "small fp32").passed
    assert _ruling(refused, "small fp32").reasons == (broken,)


def test_without_gates_everything_passes() -> None:
    verdict = _judge(_case("small fp32", right=1, latency_ms=99))
    assert verdict.winner_name == "small fp32"
    assert _ruling(verdict, "small fp32").reasons == ("no gate limits it",)


@pytest.mark.parametrize(
    ("right", "of_teacher", "rows"), [(1026, 1080, 1725), (57, 60, 5500), (513, 540, 1725)]
)
def test_a_share_that_is_just_the_limit_passes(right: int, of_teacher: int, rows: int) -> None:
    """Each is 95 % exactly; as floating-point numbers, some quotients fall a hair below."""
    verdict = _judge(
        _case("small fp32", right=right, rows=rows),
        teacher=_teacher(right=of_teacher, rows=rows),
        accuracy_kept_min=0.95,
    )
    assert verdict.winner_name == "small fp32"


def test_accuracy_is_kept_of_the_teacher_in_pytorch() -> None:
    verdict = _judge(_case("small fp32", right=76), teacher=_teacher(80), accuracy_kept_min=0.95)
    assert _ruling(verdict, "small fp32").reasons == ("accuracy kept 95.00% ≥ 95.00%",)


def test_the_speed_up_is_of_medians_end_to_end() -> None:
    few_slow = {"latencies_ms": (2.0,) * 60 + (50.0,) * 40, "model_latencies_ms": (0.1,) * 100}
    verdict = _judge(_case("small fp32", measured=few_slow), speedup_min=5)
    assert _ruling(verdict, "small fp32").reasons == ("speed-up 5.0× ≥ 5.0×",)


def test_all_broken_gates_are_told() -> None:
    verdict = _judge(
        _case("small fp32", right=50, latency_ms=20, size_bytes=10_000),
        accuracy_kept_min=0.9,
        accuracy_min=0.8,
        latency_p95_ms_max=5,
        size_bytes_max=5000,
        speedup_min=2,
    )
    names = [reason.split(" ")[0] for reason in _ruling(verdict, "small fp32").reasons]
    assert names == ["accuracy", "accuracy", "p95", "size", "speed-up"]


def test_too_few_requests_for_a_p95() -> None:
    hurried = _case("small fp32", measured={"requests": 89})
    verdict = _judge(hurried, latency_p95_ms_max=100)
    assert verdict.winner_name is None
    assert _ruling(verdict, "small fp32").reasons == (
        "too few requests were timed for a p95; raise benchmark.requests",
    )
    assert _judge(hurried).winner_name == "small fp32"  # only that gate needs them


# who may win


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("control fp32", {"role": "control"}, "control: trained to compare with, never promoted"),
        ("small pytorch", {"runtime": "pytorch"}, "reference: measured to compare with"),
        ("control pytorch", {"role": "control", "runtime": "pytorch"}, "control"),
    ],
)
def test_controls_and_references_never_win(name: str, fields: dict[str, Any], reason: str) -> None:
    best_of_all = _case(name, right=100, latency_ms=0.1, size_bytes=1, **fields)
    verdict = _judge(best_of_all)
    assert verdict.winner_name is None
    ruling = _ruling(verdict, name)
    assert (ruling.eligible, ruling.passed) == (False, False)
    assert ruling.reasons[0].startswith(reason)
    assert _judge(best_of_all, _case("small fp32")).winner_name == "small fp32"


def test_the_teacher_in_onnx_runtime_may_win() -> None:
    exported = _case("teacher fp32", role="teacher", right=100, latency_ms=4)
    assert _judge(exported, speedup_min=2).winner_name == "teacher fp32"


def test_a_graph_that_left_its_model_is_refused() -> None:
    why = "int8 changed 9.00% of labels against small fp32, above the limit of 5.00%"
    broken = _case("small int8", right=100, latency_ms=0.1, parity_failure=why)
    verdict = _judge(broken, _case("small fp32"))
    assert verdict.winner_name == "small fp32"
    ruling = _ruling(verdict, "small int8")
    assert (ruling.eligible, ruling.passed, ruling.reasons) == (True, False, (why,))


@pytest.mark.parametrize(
    "change",
    [{"cpu_model": "another CPU"}, {"cpu_count": 4}, {"runtimes": {"onnxruntime": "1.32.0"}}],
)
def test_another_place_is_not_ranked(change: dict[str, Any]) -> None:
    elsewhere = {"fingerprint": HERE.model_copy(update=change)}
    fast = _case("small int8", latency_ms=0.1, measured=elsewhere)
    verdict = _judge(fast, _case("small fp32"))
    assert verdict.winner_name == "small fp32"
    ruling = _ruling(verdict, "small int8")
    assert not ruling.eligible
    assert ruling.reasons == ("measured on other hardware than the teacher; not comparable",)


def test_what_was_not_measured_is_not_ranked() -> None:
    made = make_candidate("small int8")
    unmeasured = Case(candidate=made, quality=make_quality(made, right=100), measurement=None)
    verdict = _judge(unmeasured, _case("small fp32"))
    assert verdict.winner_name == "small fp32"
    assert _ruling(verdict, "small int8").reasons == ("not measured",)


def test_what_a_search_set_aside_is_told_with_its_reason() -> None:
    made = make_candidate("small int8")
    unmeasured = Case(candidate=made, quality=make_quality(made, right=100), measurement=None)
    why = "set aside by the search: small fp32, 1 thread, is 2.00× as fast"
    verdict = _judge(unmeasured, _case("small fp32"), set_aside={"small int8": why})
    assert verdict.winner_name == "small fp32"
    ruling = _ruling(verdict, "small int8")
    assert (ruling.eligible, ruling.passed, ruling.reasons) == (False, False, (why,))


def test_what_breaks_a_gate_whatever_the_clock_says_is_refused_unmeasured() -> None:
    made = make_candidate("small int8", size_bytes=3000)
    unmeasured = Case(candidate=made, quality=make_quality(made, right=50), measurement=None)
    verdict = _judge(
        unmeasured,
        _case("small fp32"),
        accuracy_min=0.8,
        size_bytes_max=2000,
        latency_p95_ms_max=5,
        speedup_min=2,
    )
    ruling = _ruling(verdict, "small int8")
    assert (ruling.eligible, ruling.passed) == (True, False)
    assert ruling.reasons == ("accuracy 50.00% < 80.00%", "size 3,000 bytes > 2,000 bytes")


def test_without_the_teacher_there_is_no_verdict() -> None:
    case = _case("small fp32")
    with pytest.raises(ValueError, match="needs the teacher in PyTorch as its reference"):
        judge(
            gates=Gates(),
            candidates=[case.candidate],
            qualities=[case.quality],
            measurements=[make_measurement(case.candidate)],
            target="cpu",
            champion_digest=None,
        )


def test_when_nothing_passes_the_nearest_is_named() -> None:
    verdict = _judge(
        _case("far fp32", right=50, latency_ms=20),
        _case("near fp32", right=95, latency_ms=20),
        _case("control fp32", role="control", right=99),
        accuracy_min=0.9,
        latency_p95_ms_max=5,
    )
    assert verdict.winner_name is None
    assert verdict.summary == (
        "Nothing was promoted: no candidate passed the gates. "
        "Nearest was near fp32: p95 20.00 ms > 5.00 ms."
    )


def test_every_candidate_is_ruled_on_once() -> None:
    cases = [_case("a fp32"), _case("b fp32", right=1), _case("c fp32", role="control")]
    verdict = _judge(*cases, accuracy_min=0.5)
    assert [ruling.candidate_name for ruling in verdict.rulings] == [
        "teacher pytorch",
        "a fp32",
        "b fp32",
        "c fp32",
    ]


# preferences and ties


def test_the_fastest_wins_and_the_others_are_told_why() -> None:
    verdict = _judge(
        _case("slow fp32", latency_ms=3, size_bytes=10), _case("fast fp32", latency_ms=2)
    )
    assert verdict.winner_name == "fast fp32"
    ruling = _ruling(verdict, "slow fp32")
    assert ruling.passed
    assert ruling.reasons[-1] == "passed, but fast fp32 is preferred (p50 2.00 ms)"


def test_a_tie_goes_to_the_smaller() -> None:
    """Two engines that alternate around the same median: noise, not a difference."""
    noise = tuple(1 + 0.1 * ((i * 7919) % 13) / 13 for i in range(100))
    faster_by_a_hair = {"latencies_ms": tuple(ms - 1e-6 * (i % 3) for i, ms in enumerate(noise))}
    large = _case("large fp32", size_bytes=2000, measured={"latencies_ms": noise[::-1]})
    small = _case("small fp32", size_bytes=1000, measured=faster_by_a_hair)
    for cases in ((large, small), (small, large)):
        verdict = _judge(*cases)
        assert verdict.winner_name == "small fp32"
        assert "as fast as small fp32" in _ruling(verdict, "large fp32").reasons[-1]


def test_a_tie_in_size_too_goes_to_the_more_accurate() -> None:
    verdict = _judge(_case("a fp32", right=90), _case("b fp32", right=91))
    assert verdict.winner_name == "b fp32"


@pytest.mark.parametrize(
    ("prefer", "winner", "reason"),
    [
        ("latency", "fast fp32", "passed, but fast fp32 is preferred (p50 1.00 ms)"),
        ("size", "tiny fp32", "passed, but tiny fp32 is smaller (100 bytes)"),
        ("accuracy", "exact fp32", "passed, but exact fp32 is more accurate (99.00%)"),
    ],
)
def test_what_is_preferred_wins(prefer: str, winner: str, reason: str) -> None:
    cases = [
        _case("fast fp32", latency_ms=1, size_bytes=1000, right=90),
        _case("tiny fp32", latency_ms=2, size_bytes=100, right=91),
        _case("exact fp32", latency_ms=3, size_bytes=2000, right=99),
    ]
    for order in (cases, cases[::-1]):
        verdict = _judge(*order, prefer=prefer)
        assert verdict.winner_name == winner
        losers = [case.name for case in cases if case.name != winner]
        assert [_ruling(verdict, name).reasons[-1] for name in losers] == [reason, reason]


def test_equal_sizes_go_to_the_faster_and_say_so() -> None:
    verdict = _judge(
        _case("slow fp32", latency_ms=2), _case("fast fp32", latency_ms=1), prefer="size"
    )
    assert verdict.winner_name == "fast fp32"
    assert "is smaller" not in _ruling(verdict, "slow fp32").reasons[-1]


def test_equal_accuracies_go_to_the_smaller_and_say_so() -> None:
    verdict = _judge(_case("large fp32", size_bytes=2000), _case("small fp32"), prefer="accuracy")
    assert verdict.winner_name == "small fp32"
    assert "is more accurate" not in _ruling(verdict, "large fp32").reasons[-1]


# the reigning champion


def _champion(**fields: Any) -> Case:
    return _case("old fp32", role="champion", **fields)


@pytest.mark.parametrize("prefer", ["latency", "size", "accuracy"])
def test_the_champion_stays_on_a_tie(prefer: str) -> None:
    verdict = _judge(_case("new fp32"), _champion(), champion="old fp32", prefer=prefer)
    assert verdict.winner_name == "old fp32"
    assert verdict.champion_unchanged
    assert verdict.promoted
    assert verdict.summary == "old fp32 remains champion: no gate limits it."
    assert _ruling(verdict, "new fp32").passed


@pytest.mark.parametrize(
    ("prefer", "better"),
    [
        ("latency", {"latency_ms": 0.5}),
        ("latency", {"size_bytes": 999}),  # as fast, and smaller
        ("size", {"size_bytes": 999}),
        ("accuracy", {"right": 91}),
    ],
)
def test_a_better_one_dethrones_it(prefer: str, better: dict[str, Any]) -> None:
    verdict = _judge(_champion(), _case("new fp32", **better), champion="old fp32", prefer=prefer)
    assert verdict.winner_name == "new fp32"
    assert not verdict.champion_unchanged
    assert verdict.summary.startswith("new fp32 is promoted: ")


def test_a_champion_is_not_dethroned_by_a_slower_one() -> None:
    """'new' ties with the noisy fastest and is smaller than it, but is surely slower than 'old'."""
    noisy = {"latencies_ms": (0.7,) * 51 + (1.3,) * 49}
    verdict = _judge(
        _case("noisy fp32", size_bytes=3000, measured=noisy),
        _champion(latency_ms=1.0, size_bytes=2000),
        _case("new fp32", latency_ms=1.01, size_bytes=1000),
        champion="old fp32",
    )
    assert verdict.winner_name == "old fp32"


def test_a_champion_that_no_longer_passes_is_replaced() -> None:
    verdict = _judge(_champion(latency_ms=4), _case("new fp32", latency_ms=5), champion="old fp32")
    assert verdict.winner_name == "old fp32"
    verdict = _judge(
        _champion(latency_ms=4, right=80),
        _case("new fp32", latency_ms=5),
        champion="old fp32",
        accuracy_min=0.85,
    )
    assert verdict.winner_name == "new fp32"
    assert not verdict.champion_unchanged
    assert _ruling(verdict, "old fp32").reasons == ("accuracy 80.00% < 85.00%",)


def test_when_nothing_passes_the_champion_stays() -> None:
    verdict = _judge(
        _champion(right=50), _case("new fp32", right=60), champion="old fp32", accuracy_min=0.9
    )
    assert verdict.winner_name is None
    assert verdict.champion_unchanged
    assert not verdict.promoted


# properties

_LIMITS: dict[str, Any] = {"accuracy_min": 0.5, "size_bytes_max": 500, "latency_p95_ms_max": 5.0}


@st.composite
def _cases(draw: st.DrawFn) -> list[Case]:
    return [
        _case(
            f"s{number} fp32",
            right=draw(st.integers(40, 60)),
            latency_ms=draw(st.floats(4, 6)),
            size_bytes=draw(st.integers(450, 550)),
            role=draw(st.sampled_from(["student", "student", "teacher", "champion", "control"])),
            parity_failure=draw(st.sampled_from([None, None, "it broke"])),
        )
        for number in range(draw(st.integers(1, 4)))
    ]


_PREFERENCES = st.sampled_from(["latency", "size", "accuracy"])


def _passes(case: Case) -> bool:
    assert case.measurement is not None
    return (
        case.candidate.role != "control"
        and case.candidate.parity_failure is None
        and case.quality.merit >= 0.5
        and case.candidate.size_bytes <= 500
        and max(case.measurement.latencies_ms) <= 5.0
    )


@settings(max_examples=60, deadline=None)
@given(_cases(), _PREFERENCES, st.booleans())
def test_a_winner_always_passes_every_gate(cases: list[Case], prefer: str, reigns: bool) -> None:
    champion = cases[0].name if reigns else None
    verdict = _judge(*cases, champion=champion, prefer=prefer, **_LIMITS)
    passing = {case.name for case in cases if _passes(case)}
    assert {ruling.candidate_name for ruling in verdict.rulings if ruling.passed} == passing
    assert (verdict.winner_name in passing) if passing else verdict.winner_name is None
    assert verdict.champion_unchanged == (
        reigns and (not passing or verdict.winner_name == champion)
    )


@settings(max_examples=60, deadline=None)
@given(_cases(), _PREFERENCES, st.integers(0, 4), st.sampled_from(["right", "size", "control"]))
def test_one_that_fails_never_changes_the_winner(
    cases: list[Case], prefer: str, place: int, why: str
) -> None:
    failures: dict[str, dict[str, Any]] = {
        "right": {"right": 49, "latency_ms": 0.1, "size_bytes": 1},
        "size": {"right": 100, "latency_ms": 0.1, "size_bytes": 501},
        "control": {"right": 100, "latency_ms": 0.1, "size_bytes": 1, "role": "control"},
    }
    before = _judge(*cases, prefer=prefer, **_LIMITS)
    more = [*cases[:place], _case("fails fp32", **failures[why]), *cases[place:]]
    after = _judge(*more, prefer=prefer, **_LIMITS)
    assert after.winner_name == before.winner_name
    assert _ruling(after, "fails fp32").passed is False


@settings(max_examples=60, deadline=None)
@given(st.data(), _cases(), _PREFERENCES)
def test_the_order_of_candidates_does_not_matter(
    data: st.DataObject, cases: list[Case], prefer: str
) -> None:
    shuffled = data.draw(st.permutations(cases))
    winner = _judge(*cases, prefer=prefer, **_LIMITS).winner_name
    assert _judge(*shuffled, prefer=prefer, **_LIMITS).winner_name == winner


def test_even_twins_are_told_apart_alike() -> None:
    twins = [_case("b fp32"), _case("a fp32")]
    for prefer in ("latency", "size", "accuracy"):
        winners = {_judge(*order, prefer=prefer).winner_name for order in (twins, twins[::-1])}
        assert winners == {"a fp32"}


# scores


def _graded(case: Case, spearman: float) -> Case:
    fields = case.quality.model_dump(exclude={"accuracy", "macro_f1"})
    return replace(
        case, quality=Quality.model_validate({**fields, "spearman": spearman, "pearson": 0.5})
    )


def test_of_scores_spearman_is_judged_and_named() -> None:
    teacher = _graded(TEACHER, 0.8)
    better = _graded(_case("better fp32", size_bytes=900), 0.78)
    smaller = _graded(_case("smaller fp32", size_bytes=400), 0.72)
    worse = _graded(_case("worse fp32"), 0.4)
    gates: dict[str, Any] = {
        "accuracy_kept_min": 0.85,
        "accuracy_min": 0.5,
        "prefer": "accuracy",
    }
    verdict = _judge(better, smaller, worse, teacher=teacher, **gates)
    assert verdict.winner_name == "better fp32"
    assert verdict.summary == (
        "better fp32 is promoted: Spearman ρ kept 97.50% ≥ 85.00%; Spearman ρ 0.7800 ≥ 0.5000."
    )
    assert _ruling(verdict, "smaller fp32").reasons[-1] == (
        "passed, but better fp32 has the higher Spearman ρ (0.7800)"
    )
    assert _ruling(verdict, "worse fp32").reasons == (
        "Spearman ρ kept 50.00% < 85.00%",
        "Spearman ρ 0.4000 < 0.5000",
    )


def test_nothing_is_kept_of_a_teacher_that_ranks_nothing() -> None:
    """Two negative ρ make no share."""
    student = _graded(_case("student fp32"), -0.4)
    verdict = _judge(student, teacher=_graded(TEACHER, -0.2), accuracy_kept_min=0.5)
    assert verdict.winner_name is None
    assert _ruling(verdict, "student fp32").reasons == ("Spearman ρ kept 0.00% < 50.00%",)


_RENTED = {
    "instance_type": "c7i.xlarge",
    "region": "us-east-1",
    "zone": "us-east-1a",
    "market": "on_demand",
    "instance_id": "i-1",
    "image_id": "ami-1",
    "price": {"on_demand_usd_per_hour": 3.6, "source": "a table", "as_of": "2026-09-01"},
}


def _on_aws(rate: float | None, **changes: Any) -> dict[str, Any]:
    """Held ``rate`` requests a second; None held nothing."""
    point = {"rate_per_second": rate or 5.0, "latencies_ms": ((1.0 if rate else 99.0),) * 700}
    return {
        "target": "aws:c7i.xlarge",
        "instance": _RENTED | changes,
        "server": {"p99_objective_ms": 10, "points": [point]},
    }


def _judge_on_aws(*cases: Case, **gates: Any) -> Verdict:
    teacher = _case(
        "teacher pytorch", role="teacher", runtime="pytorch", latency_ms=10, measured=_on_aws(5)
    )
    found = (teacher, *cases)
    return judge(
        gates=Gates.model_validate(gates),
        candidates=[one.candidate for one in found],
        qualities=[one.quality for one in found],
        measurements=[one.measurement for one in found if one.measurement],
        target="aws:c7i.xlarge",
        champion_digest=None,
    )


def test_what_a_million_predictions_cost_is_a_gate() -> None:
    # $3.6 an hour is $0.001 a second: at 100 requests a second $10 a million
    at = _case("small fp32", measured=_on_aws(100))
    passed = _judge_on_aws(at, cost_per_million_usd_max=10.01)
    assert _ruling(passed, "small fp32").reasons == ("cost per million $10 ≤ $10.01",)
    refused = _judge_on_aws(at, cost_per_million_usd_max=9.99)
    assert _ruling(refused, "small fp32").reasons == ("cost per million $10 > $9.99",)


def test_what_held_no_rate_has_no_cost() -> None:
    verdict = _judge_on_aws(_case("small fp32", measured=_on_aws(None)), cost_per_million_usd_max=9)
    assert "no rate held the p99 objective" in _ruling(verdict, "small fp32").reasons[0]


def test_only_what_was_measured_on_the_target_is_judged() -> None:
    here = _case("small int8", latency_ms=0.1)
    there = _case("small fp32", latency_ms=5, measured=_on_aws(100))
    verdict = _judge_on_aws(here, there)
    assert verdict.winner_name == "small fp32"
    assert _ruling(verdict, "small int8").reasons == ("not measured",)


def test_another_instance_of_the_type_is_another_place() -> None:
    other = _case("small int8", latency_ms=0.1, measured=_on_aws(100, instance_id="i-2"))
    verdict = _judge_on_aws(other, _case("small fp32", measured=_on_aws(100)))
    assert verdict.winner_name == "small fp32"
    assert not _ruling(verdict, "small int8").eligible
