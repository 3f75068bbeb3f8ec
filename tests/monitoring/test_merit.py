"""Live accuracy: chance is no alarm, a fall is."""

import pytest

from distillery.monitoring import merit
from distillery.monitoring.drift import Drift
from distillery.monitoring.merit import LiveMerit

LIMITS = Drift()


def _answered(right: int, rows: int) -> LiveMerit:
    answers = ["yes"] * right + ["no"] * (rows - right)
    return merit.of_labels(
        answers, ["yes"] * rows, ("no", "yes"), tested=0.95, tested_rows=1000, limits=LIMITS
    )


def test_a_little_below_on_few_rows_is_chance() -> None:
    found = _answered(90, 100)
    assert found.merit == pytest.approx(0.9)
    assert found.drop_interval[0] < 0.02 < found.drop_interval[1]
    assert found.crossed is None


def test_the_same_drop_on_many_rows_is_none() -> None:
    found = _answered(9000, 10_000)
    assert found.crossed is not None
    assert "from 0.95 on the test split to 0.9 on 10,000 labelled rows" in found.crossed


def test_fewer_rows_than_asked_for_are_not_judged() -> None:
    assert _answered(0, 49).crossed is None
    assert _answered(0, 50).crossed is not None


def test_a_label_unknown_to_the_model_counts_as_wrong() -> None:
    found = merit.of_labels(
        ["yes", "yes"], ["yes", "new"], ("no", "yes"), tested=1, tested_rows=10, limits=LIMITS
    )
    assert found.merit == 0.5
    assert found.unknown_labels == ("new",)


def test_scores_are_held_by_rank() -> None:
    scores = [float(i) for i in range(100)]
    same = merit.of_scores(scores, scores, tested=0.9, tested_rows=500, limits=LIMITS)
    turned = merit.of_scores(scores[::-1], scores, tested=0.9, tested_rows=500, limits=LIMITS)
    assert (same.measure, same.crossed) == ("spearman", None)
    assert same.merit == pytest.approx(1)
    assert turned.merit == pytest.approx(-1)
    assert turned.crossed is not None
