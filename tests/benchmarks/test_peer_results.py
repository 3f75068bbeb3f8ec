"""Ours against the best of the peers, each quantity against another one; and what is a goal met."""

from typing import Any

import pytest
from factories import HERE

from benchmarks.peers.results import (
    Against,
    Model,
    Results,
    Row,
    Side,
    against,
    as_markdown,
    most_accurate,
    quickest,
)
from distillery.benchmarking.comparison import Compared
from distillery.measurements import Noise
from distillery.nouns import Gain


def _row(tool: str, side: Side = "peer", **overrides: Any) -> Row:
    fields = {
        "size_bytes": 20_000_000,
        "accuracy": 0.87,
        "flip_rate": 0.01,
        "p50_ms": 1.0,
        "p50_low_ms": 0.98,
        "p50_high_ms": 1.03,
        "model_p50_ms": 0.9,
        "p50_threads": 1,
        "rows_per_second": 1000.0,
        "batch_size": 8,
        "batch_threads": 2,
    }
    return Row.model_validate({"tool": tool, "side": side} | fields | overrides)


def _compared(ratio: float, reference: str = "quick") -> Compared:
    return Compared(
        target="this-machine",
        candidate_name="ours",
        reference_name=reference,
        ratio=ratio,
        interval_low=ratio - 0.02,
        interval_high=ratio + 0.02,
    )


def _gain(low: float, high: float) -> Gain:
    return Gain(
        student_name="ours",
        student_accuracies=(0.88 + (low + high) / 2,),
        control_accuracies=(0.88,),
        mean_gain=(low + high) / 2,
        interval_low=low,
        interval_high=high,
        method="paired bootstrap over test rows",
    )


PEERS = (
    _row("quick", p50_ms=0.8, accuracy=0.86),
    _row("small", size_bytes=16_000_000),
    _row("busy", rows_per_second=1500.0),
    _row("right", accuracy=0.88),
)


def _against(p50_ratio: float = 0.7, most_points: float = 0.0, **ours: Any) -> Against:
    gained = _gain(-0.01, most_points)
    return against(_row("ours", "ours", **ours), PEERS, _compared(p50_ratio), gained)


def test_each_quantity_is_held_against_the_peer_that_is_best_at_it() -> None:
    found = _against(size_bytes=8_000_000, rows_per_second=1800.0)

    assert quickest(PEERS).tool == "quick"
    assert most_accurate(PEERS).tool == "right"
    assert (found.smallest_peer, found.size_ratio) == ("small", 0.5)
    assert (found.busiest_peer, found.throughput_ratio) == ("busy", 1.2)


@pytest.mark.parametrize(
    ("goal", "met", "missed"),
    [
        ("p50", {"p50_ratio": 0.85}, {"p50_ratio": 0.86}),
        ("size", {"size_bytes": 9_600_000}, {"size_bytes": 9_600_001}),
        ("throughput", {"rows_per_second": 1800.0}, {"rows_per_second": 1799.0}),
        ("accuracy", {"most_points": 0.0}, {"most_points": -0.0001}),
    ],
)
def test_a_goal_is_met_up_to_its_bound(
    goal: str, met: dict[str, float], missed: dict[str, float]
) -> None:
    assert _against(**met).goals[goal]
    assert not _against(**missed).goals[goal]


def test_the_tables_tell_what_was_missed_failed_and_noisy() -> None:
    ours = _row("ours", "ours", size_bytes=12_000_000, rows_per_second=1500.0, accuracy=0.8785)
    model = Model(
        name="two",
        checkpoint_digest="d",
        rows=(*PEERS, ours),
        against=(against(ours, PEERS, _compared(0.7), _gain(-0.002, -0.001)),),
        failures={"broken": "RuntimeError: no type"},
        noise=Noise(steal_share=0.02, frequency_drift=None, calibration_drift=0.0),
    )
    results = Results(
        started_at="2026-01-02T03:04:05+00:00",
        code_version="0.3.0",
        fingerprint=HERE,
        threads=(1,),
        requests=500,
        versions={},
        models=(model,),
    )
    told = as_markdown(results)

    assert "| **ours** | 1.000 ms (0.980 to 1.030) | 0.900 ms | 1,500 (8) | 12.00 MB | " in told
    assert "0.70 (0.68 to 0.72) of quick ✓" in told
    assert "0.75 of small ✗" in told
    assert "1.00 of busy ✗" in told
    assert "-0.15 points (-0.20 to -0.10) of right ✗" in told
    assert "- broken failed: RuntimeError: no type" in told
    assert "- noisy: the hypervisor took 2.0% of CPU time" in told
    both = as_markdown(results.model_copy(update={"threads": (1, 2)}))
    assert "# 1 or 2 threads, " in both
    assert "(0.980 to 1.030), 1 thread | 0.900 ms | 1,500 (8), 2 threads |" in both
