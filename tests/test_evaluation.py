"""Quality of what would be served, and what distillation gained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from export import tiny
from factories import make_candidate, make_dataset, make_quality
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import f1_score  # type: ignore[import-untyped]

from distillery import evaluation, storage
from distillery.data import preparation
from distillery.data.preparation import Splits
from distillery.data.rows import Rows
from distillery.nouns import Candidate, Dataset, Quality
from distillery.recipe import Data
from distillery.runtimes.base import Card


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=40))
def test_macro_f1_is_scikit_learns(rows: list[tuple[int, int]]) -> None:
    predictions, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = evaluation.macro_f1(predictions, labels, classes=6)
    assert found == pytest.approx(f1_score(labels, predictions, average="macro"))


def test_macro_f1_by_hand() -> None:
    # class 0: 2 right of 3 said, 2 there: F1 .8; class 1: 1 of 1 said, 2 there: 2/3; 2 is absent
    predictions, labels = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    assert evaluation.macro_f1(predictions, labels, classes=3) == pytest.approx((0.8 + 2 / 3) / 2)


def _quality(right: int, rows: int = 200) -> Quality:
    return make_quality(make_candidate(), right=right, rows=rows)


def test_the_gain_of_one_seed_is_bootstrapped_over_rows() -> None:
    found = evaluation.gain("one-layer", [_quality(180)], [_quality(160)])
    assert found.student_name == "one-layer"
    assert found.method == "paired bootstrap over test rows"
    assert (found.student_accuracies, found.control_accuracies) == ((0.9,), (0.8,))
    assert found.mean_gain == pytest.approx(0.1)
    # 20 of 200 rows differ, all one way: the share's normal interval is .1 ± 1.96 √(.1·.9/200)
    assert found.interval_low == pytest.approx(0.1 - 0.0416, abs=0.006)
    assert found.interval_high == pytest.approx(0.1 + 0.0416, abs=0.006)
    assert evaluation.gain("one-layer", [_quality(180)], [_quality(160)]) == found


def test_the_rows_are_paired() -> None:
    """The same answers on each row leave no doubt, however poor; opposite errors leave much."""
    same = evaluation.gain("s", [_quality(120)], [_quality(120)])
    assert (same.mean_gain, same.interval_low, same.interval_high) == (0, 0, 0)
    last_wrong, first_wrong = _quality(120), _quality(120)
    turned = first_wrong.model_copy(
        update={
            "labels": first_wrong.labels[::-1],
            "predictions": first_wrong.predictions[::-1],
        }
    )
    apart = evaluation.gain("s", [last_wrong], [turned])
    assert apart.mean_gain == 0
    assert apart.interval_low < -0.08
    assert apart.interval_high > 0.08


def test_the_gain_of_three_seeds_is_a_t_interval() -> None:
    # differences .01, .02, .06: mean .03, standard deviation √.0007; t(2 degrees, 97.5 %) = 4.30265
    students = [_quality(182), _quality(184), _quality(192)]
    controls = [_quality(180), _quality(180), _quality(180)]
    found = evaluation.gain("one-layer", students, controls)
    half = 4.30265273 * 0.0007**0.5 / 3**0.5
    assert found.method == "paired t over seeds"
    assert found.student_accuracies == (0.91, 0.92, 0.96)
    assert found.mean_gain == pytest.approx(0.03)
    assert found.interval_low == pytest.approx(0.03 - half)
    assert found.interval_high == pytest.approx(0.03 + half)


def test_seeds_that_agree_leave_no_interval() -> None:
    found = evaluation.gain("s", [_quality(182)] * 3, [_quality(180)] * 3)
    assert found.interval_low == pytest.approx(found.mean_gain)
    assert found.interval_high == pytest.approx(found.mean_gain)


# evaluate: a real engine over a real test split


def _dataset(labels: list[str]) -> Dataset:
    rows = Rows(texts=tiny.TEXTS, labels=labels)
    splits = Splits(
        train=rows,
        validation=rows,
        test=rows,
        label_names=tiny.LABELS,
        leaked_rows_removed=0,
        validation_made_from_train=False,
        test_made_from_train=False,
    )
    return preparation.store(splits, Data(source="./made"), "made")


def _candidate(tmp_path: Path, label_names: tuple[str, ...]) -> Candidate:
    with storage.new_folder() as folder:
        tiny.save_checkpoint(folder)
        Card(
            name="small pytorch",
            label_names=label_names,
            max_length=16,
            is_pair=False,
            pad_token_id=0,
        ).write(folder)
        artifact = storage.put(folder, "candidate")
    return make_candidate(
        "small pytorch", runtime="pytorch", artifact=artifact, label_names=label_names
    )


@pytest.mark.usefixtures("storage_root")
def test_every_test_row_is_judged_by_label_name(tmp_path: Path) -> None:
    candidate = _candidate(tmp_path, tiny.LABELS)
    said = evaluation.evaluate(candidate, _dataset([tiny.LABELS[0]] * len(tiny.TEXTS)))
    assert said.rows == len(said.predictions) == len(tiny.TEXTS)
    assert len(set(said.predictions)) > 1

    # a test set of just what it says, but for three rows
    labels = [tiny.LABELS[int(i)] for i in said.predictions]
    for row in (0, 5, 9):
        labels[row] = tiny.LABELS[int(said.predictions[row] + 1) % len(tiny.LABELS)]
    dataset = _dataset(labels)
    found = evaluation.evaluate(candidate, dataset)
    assert found.predictions == said.predictions
    assert found.accuracy == pytest.approx(1 - 3 / len(tiny.TEXTS))
    assert found.macro_f1 == pytest.approx(
        f1_score(found.labels, found.predictions, average="macro")
    )
    assert (found.candidate_digest, found.dataset_digest) == (candidate.digest, dataset.digest)

    # outputs under other names are other answers; the data set's order of the names is no matter
    turned = evaluation.evaluate(_candidate(tmp_path, tiny.LABELS[::-1]), dataset)
    assert turned.predictions == tuple(len(tiny.LABELS) - 1 - i for i in said.predictions)


@pytest.mark.usefixtures("storage_root")
def test_other_labels_than_the_data_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="small fp32 knows other labels than the data set other"):
        evaluation.evaluate(make_candidate(), make_dataset("other", label_names=("a", "b")))


# scores


def _of_scores(predictions: Sequence[float], labels: Sequence[float]) -> Quality:
    candidate = make_candidate()
    return Quality(
        candidate_name=candidate.name,
        candidate_digest=candidate.digest,
        dataset_digest="d",
        spearman=float(spearmanr(predictions, labels).statistic),
        pearson=float(pearsonr(predictions, labels).statistic),
        rows=len(labels),
        predictions=tuple(predictions),
        labels=tuple(labels),
    )


def test_a_quality_is_of_classes_or_of_scores() -> None:
    fields = _of_scores([1, 2, 3.5], [1, 3, 2.5]).model_dump()
    with pytest.raises(ValueError, match="accuracy and macro F1, or Spearman"):
        Quality.model_validate({**fields, "accuracy": 1, "macro_f1": 1})
    with pytest.raises(ValueError, match="accuracy and macro F1, or Spearman"):
        Quality.model_validate({**fields, "pearson": None})


def test_both_kinds_survive_json() -> None:
    for quality in (_quality(180), _of_scores([1.0, 2.0, 3.0], [0.0, 1.0, 1.0])):
        again = Quality.model_validate_json(quality.model_dump_json())
        assert again == quality
        assert [type(one) for one in again.labels] == [type(one) for one in quality.labels]


def test_the_gain_of_scores_resamples_the_correlation_itself() -> None:
    generator = np.random.default_rng(3)
    labels = generator.normal(size=300)
    student = _of_scores((labels + 0.5 * generator.normal(size=300)).tolist(), labels.tolist())
    control = _of_scores((labels + generator.normal(size=300)).tolist(), labels.tolist())
    found = evaluation.gain("s", [student], [control])
    assert (found.student_spearmans, found.control_spearmans) == (
        (student.spearman,),
        (control.spearman,),
    )
    assert found.student_accuracies == ()
    assert found.method == "paired bootstrap over test rows"
    assert found.mean_gain == pytest.approx(student.merit - control.merit)

    drawn = []
    for _ in range(1000):
        rows = generator.integers(300, size=300)
        drawn.append(
            spearmanr(np.array(student.predictions)[rows], labels[rows]).statistic
            - spearmanr(np.array(control.predictions)[rows], labels[rows]).statistic
        )
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.interval_low == pytest.approx(low, abs=0.015)
    assert found.interval_high == pytest.approx(high, abs=0.015)
    same = evaluation.gain("s", [student], [student])
    assert (same.mean_gain, same.interval_low, same.interval_high) == (0, 0, 0)


def test_the_gain_of_scores_over_seeds_is_a_t_interval() -> None:
    one, other = _of_scores([1, 2, 3, 4], [1, 2, 4, 3]), _of_scores([1, 2, 3, 4], [2, 1, 4, 3])
    found = evaluation.gain("s", [one, one], [other, other])
    assert found.student_merits == pytest.approx((0.8, 0.8))
    assert found.control_spearmans == pytest.approx((0.6, 0.6))
    assert found.method == "paired t over seeds"
