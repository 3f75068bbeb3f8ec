"""Two measurements beside each other: only what was measured together is compared."""

from typing import Any

import pytest
from factories import HERE, make_candidate, make_measurement

from distillery.benchmarking.comparison import compared
from distillery.errors import UserError

_NOISE = tuple(1 + 0.1 * (i * 7 % 10) for i in range(200))


def _measured(name: str, factor: float = 1.0, **overrides: Any) -> Any:
    latencies_ms = tuple(factor * ms for ms in _NOISE)
    return make_measurement(make_candidate(name), **({"latencies_ms": latencies_ms} | overrides))


@pytest.mark.parametrize(("factor", "verdict"), [(0.5, "faster"), (2.0, "slower"), (1.0, "tie")])
def test_the_verdict_follows_the_interval(factor: float, verdict: str) -> None:
    found = compared(_measured("small int8", factor), _measured("teacher pytorch"))
    assert (found.candidate_name, found.reference_name) == ("small int8", "teacher pytorch")
    # each pair has the same ratio, so the interval has no width
    assert (found.ratio, found.interval_low, found.interval_high) == pytest.approx((factor,) * 3)
    assert found.verdict == verdict


def test_samples_in_another_order_are_a_tie() -> None:
    found = compared(_measured("a", latencies_ms=_NOISE[::-1]), _measured("b"))
    assert found.interval_low <= 1 <= found.interval_high
    assert found.verdict == "tie"


@pytest.mark.parametrize(
    ("elsewhere", "named"),
    [
        ({"fingerprint": HERE.model_copy(update={"cpu_model": "another CPU"})}, "a CPU"),
        ({"fingerprint": HERE.model_copy(update={"runtimes": {"onnxruntime": "2"}})}, "1.31.0"),
        ({"fingerprint": HERE.model_copy(update={"cpu_flags": ()})}, "none and avx2"),
        ({"target": "there"}, "target: there and cpu"),
        ({"threads": 4}, "threads: 4 and 1"),
    ],
)
def test_never_across_places(elsewhere: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match="measure both in one benchmark") as refused:
        compared(_measured("a", 0.1, **elsewhere), _measured("b"))
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_never_over_other_requests() -> None:
    with pytest.raises(UserError, match=r"\(200 and 100\)"):
        compared(_measured("a"), make_measurement(make_candidate("b"), requests=100))
