"""Which models nothing beats in both: by hand, and against the definition."""

from typing import Any

from factories import make_candidate, make_measurement
from hypothesis import given
from hypothesis import strategies as st

from distillery.report.benchmark import pareto
from distillery.report.benchmark.rows import ModelRow
from distillery.report.benchmark.trade_offs import trade_offs
from distillery.report.plots.fronts import front
from distillery.subjects.finding import Merit

_POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1)


@given(_POINTS, st.booleans())
def test_the_front_is_what_nothing_beats(points: list[Any], more_is_better: bool) -> None:
    sign = 1 if more_is_better else -1

    def beats(one: Any, other: Any) -> bool:
        as_good = one[0] <= other[0] and sign * one[1] >= sign * other[1]
        return bool(as_good and one != other)

    wanted = sorted({p for p in points if not any(beats(other, p) for other in points)})
    assert front(points, more_is_better=more_is_better) == wanted


def _row(
    model: str, p50_ms: float, size_bytes: int, accuracy: float | None = None, data: str = "d"
) -> ModelRow:
    measured = make_measurement(make_candidate(model), latency_ms=p50_ms)
    return ModelRow(
        model=model,
        target="cpu",
        p50_ms=p50_ms,
        p95_ms=None,
        p99_ms=None,
        model_p50_ms=p50_ms,
        rows_per_second=measured.rows_per_second,
        tried_rates=False,
        highest_rate_per_second=None,
        cold_start_ms=None,
        size_bytes=size_bytes,
        merit=Merit(label_kind="class", value=accuracy, data_digest=data) if accuracy else None,
        compared=None,
    )


def test_size_and_accuracy_have_a_front_each() -> None:
    rows = [
        _row("slow and good", 9, 900, 0.95),
        _row("small", 3, 100, 0.90),
        _row("beaten", 4, 200, 0.90),
        _row("quick", 2, 300, 0.80),
        _row("not ours", 1, 400),
    ]
    by_size, by_accuracy = trade_offs(rows)
    assert (by_size.against, by_size.best) == ("size_bytes", ["not ours", "quick", "small"])
    assert by_accuracy.against == "accuracy"
    assert by_accuracy.best == ["quick", "small", "slow and good"]
    assert "not ours" not in by_accuracy.points
    svg = pareto.svg(rows)
    assert svg is not None
    assert "By accuracy the best trade-offs are quick, small, slow and good" in svg


def test_accuracies_on_other_data_are_not_compared() -> None:
    rows = [
        _row("a", 1, 100, 0.9, data="one"),
        _row("b", 2, 100, 0.8, data="other"),
        _row("c", 3, 100, 0.7, data="other"),
    ]
    _, by_accuracy = trade_offs(rows)
    assert list(by_accuracy.points) == ["b", "c"]
    assert [one.against for one in trade_offs(rows[:2])] == ["size_bytes"]


def test_a_model_alone_is_no_trade_off() -> None:
    assert trade_offs([_row("a", 1, 100, 0.9)]) == []
    assert pareto.svg([_row("a", 1, 100, 0.9)]) is None
