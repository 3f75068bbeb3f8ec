"""Quality of the artifact itself, over the full test split; and what distillation gained."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distillery import preparation, storage
from distillery.nouns import Candidate, Dataset, Gain, Quality
from distillery.runtimes.opening import open_engine

log = logging.getLogger(__name__)

_RESAMPLES = 4000
_CONFIDENCE = 0.95


def evaluate(candidate: Candidate, dataset: Dataset) -> Quality:
    """Run the candidate, as it would be served, over every test row.

    Raises ``ValueError`` where its label names are not the data set's.
    """
    if set(candidate.label_names) != set(dataset.label_names):
        raise ValueError(f"{candidate.name} knows other labels than the data set {dataset.name}")
    texts, labels = preparation.read(dataset, "test")
    engine = open_engine(storage.fetch(candidate.artifact), candidate.runtime)
    to_dataset = np.array([dataset.label_names.index(name) for name in candidate.label_names])
    predictions = to_dataset[engine.predict(texts).argmax(-1)]
    quality = Quality(
        candidate_name=candidate.name,
        candidate_digest=candidate.digest,
        dataset_digest=dataset.digest,
        accuracy=float((predictions == np.array(labels)).mean()),
        macro_f1=macro_f1(predictions, np.array(labels), len(dataset.label_names)),
        rows=len(labels),
        predictions=tuple(int(i) for i in predictions),
        labels=tuple(labels),
    )
    log.info("%s: test accuracy %.4f", candidate.name, quality.accuracy)
    return quality


def macro_f1(predictions: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> float:
    """Mean F1 over the classes that stand in the labels or the predictions."""
    scores = []
    for label in range(classes):
        predicted, actual = predictions == label, labels == label
        if not predicted.any() and not actual.any():
            continue
        scores.append(2 * (predicted & actual).sum() / (predicted.sum() + actual.sum()))
    return float(np.mean(scores))


def gain(student_name: str, students: Sequence[Quality], controls: Sequence[Quality]) -> Gain:
    """Accuracy of the distilled student minus its control's, with a 95 % interval.

    One seed: a paired bootstrap over the test rows, which says how sure this test set makes us of
    these two models. Several seeds: a paired t interval over the seeds, which also holds what
    training by chance brings. ``students`` and ``controls`` are in the order of the seeds.
    """
    student_accuracies = np.array([quality.accuracy for quality in students])
    control_accuracies = np.array([quality.accuracy for quality in controls])
    differences = student_accuracies - control_accuracies
    mean = float(differences.mean())
    if len(differences) == 1:
        right = np.array(students[0].predictions) == np.array(students[0].labels)
        control_right = np.array(controls[0].predictions) == np.array(controls[0].labels)
        per_row = right.astype(float) - control_right
        generator = np.random.default_rng(0)
        means = [generator.choice(per_row, len(per_row)).mean() for _ in range(_RESAMPLES)]
        tail = (1 - _CONFIDENCE) / 2
        low, high = np.quantile(means, [tail, 1 - tail])
        return Gain(
            student_name=student_name,
            student_accuracies=tuple(student_accuracies),
            control_accuracies=tuple(control_accuracies),
            mean_gain=mean,
            interval_low=float(low),
            interval_high=float(high),
            method="paired bootstrap over test rows",
        )
    half = _t_quantile(len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences))
    return Gain(
        student_name=student_name,
        student_accuracies=tuple(student_accuracies),
        control_accuracies=tuple(control_accuracies),
        mean_gain=mean,
        interval_low=float(mean - half),
        interval_high=float(mean + half),
        method="paired t over seeds",
    )


def _t_quantile(degrees: int) -> float:
    """The two-sided 95 % quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(1 - (1 - _CONFIDENCE) / 2, degrees))
