"""Distributions compared, against values by hand and SciPy's."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency

from distillery.monitoring.drift import Cell, Drift, compare

LIMITS = Drift()


def test_the_three_numbers() -> None:
    trained, seen = {"a": 600, "b": 300, "c": 100}, {"a": 90, "b": 30, "c": 80}
    shift = compare("classes", trained, seen, LIMITS)
    t = np.array([600.5, 300.5, 100.5]) / 1001.5
    s = np.array([90.5, 30.5, 80.5]) / 201.5
    assert shift.stability_index == pytest.approx(float(((s - t) * np.log(s / t)).sum()))
    assert shift.stability_index_by_chance == pytest.approx(2 * (1 / 1000 + 1 / 200))
    rows = np.array([[600, 300, 100], [90, 30, 80]])
    assert shift.p_value == pytest.approx(chi2_contingency(rows).pvalue, rel=1e-9)
    expected = jensenshannon(rows[0] / 1000, rows[1] / 200, base=2) ** 2
    assert shift.divergence_bits == pytest.approx(expected)
    assert shift.crossed is not None
    assert "'c': 10.0% → 40.0%" in shift.crossed


def test_equal_shares_are_no_shift() -> None:
    shift = compare("lengths", {"a": 500, "b": 500}, {"a": 300, "b": 300}, LIMITS)
    assert shift.stability_index == pytest.approx(0, abs=1e-9)
    assert shift.divergence_bits == pytest.approx(0)
    assert shift.p_value == pytest.approx(1)
    assert shift.crossed is None


def test_too_few_rows_alarm_nobody_however_far_they_moved() -> None:
    trained = {"a": 5000, "b": 5000}
    few = compare("classes", trained, {"a": 199}, LIMITS)
    assert few.stability_index > LIMITS.stability_index_max
    assert few.p_value < LIMITS.significance
    assert few.crossed is None
    assert compare("classes", trained, {"a": 200}, LIMITS).crossed is not None


def test_many_classes_and_few_rows_are_not_mistaken_for_a_shift() -> None:
    generator = np.random.default_rng(3)
    trained = {f"label {i}": 100 for i in range(151)}
    limits = LIMITS.model_copy(update={"stability_index_max": 0.1})
    crossed, plain = 0, 0
    for _ in range(200):
        drawn = generator.multinomial(1000, [1 / 151] * 151)
        shift = compare("classes", trained, dict(zip(trained, drawn.tolist(), strict=True)), limits)
        crossed += shift.crossed is not None
        plain += shift.stability_index > limits.stability_index_max
    assert plain > 190, "the index alone would alarm nearly every time"
    assert crossed == 0


def test_by_chance_is_what_the_index_is_on_average() -> None:
    generator = np.random.default_rng(5)
    shares = [0.4, 0.3, 0.2, 0.1]
    found = []
    for _ in range(400):
        t, s = generator.multinomial(2000, shares), generator.multinomial(400, shares)
        names = "abcd"
        shift = compare(
            "classes",
            dict(zip(names, t.tolist(), strict=True)),
            dict(zip(names, s.tolist(), strict=True)),
            LIMITS,
        )
        found.append(shift.stability_index)
    assert np.mean(found) == pytest.approx(shift.stability_index_by_chance, rel=0.1)


def test_a_small_and_certain_shift_is_below_the_limit() -> None:
    shift = compare("classes", {"a": 50_000, "b": 50_000}, {"a": 52_000, "b": 48_000}, LIMITS)
    assert shift.p_value < 1e-9
    assert shift.crossed is None


def test_rare_cells_are_taken_together() -> None:
    trained = {"often": 980, "seldom": 10, "hardly": 10}
    seen = {"often": 200, "seldom": 1, "hardly": 1}
    shift = compare("classes", trained, seen, LIMITS)
    # two of 22 rows expect 3.7: the common one is taken in, and nothing is left to compare
    assert shift.cells == (Cell(name="all others", trained=1000, seen=202),)
    assert (shift.p_value, shift.stability_index) == (1.0, 0.0)


def test_a_label_that_training_never_had_counts() -> None:
    shift = compare("classes", {"a": 500, "b": 500}, {"a": 100, "b": 100, "new": 200}, LIMITS)
    assert math.isfinite(shift.stability_index)
    assert shift.crossed is not None
    assert "'new'" in shift.crossed


def test_a_cell_that_neither_has_is_none() -> None:
    shift = compare("lengths", {"a": 500, "b": 0, "c": 0, "d": 0}, {"a": 0, "b": 300}, LIMITS)
    assert [cell.name for cell in shift.cells] == ["a", "b"]
    assert shift.crossed is not None
    assert "'a': 100.0% → 0.0%" in shift.crossed


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 rows seen"):
        compare("classes", {"a": 1}, {}, LIMITS)
