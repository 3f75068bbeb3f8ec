"""Quality of the artifact itself, over the full test split; and what distillation gained."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distillery import storage
from distillery.correlation import pearson, spearman, spearmans
from distillery.data import preparation
from distillery.nouns import Candidate, Dataset, Gain, Quality
from distillery.runtimes.opening import open_engine

log = logging.getLogger(__name__)

_RESAMPLES = 4000
_RESAMPLES_AT_ONCE = 100  # of scores, whose draws are ranked together
_CONFIDENCE = 0.95


def evaluate(candidate: Candidate, dataset: Dataset) -> Quality:
    """Run the candidate, as it would be served, over every test row.

    Raises ``ValueError`` where its label names are not the data set's.
    """
    if set(candidate.label_names) != set(dataset.label_names):
        raise ValueError(f"{candidate.name} knows other labels than the data set {dataset.name}")
    texts, labels = preparation.read(dataset, "test")
    engine = open_engine(storage.fetch(candidate.artifact), candidate.runtime)
    logits = engine.predict(texts)
    if dataset.label_kind == "score":
        return _of_scores(candidate, dataset, logits[:, 0].astype(np.float64), labels)
    to_dataset = np.array([dataset.label_names.index(name) for name in candidate.label_names])
    predictions = to_dataset[logits.argmax(-1)]
    quality = Quality(
        candidate_name=candidate.name,
        candidate_digest=candidate.digest,
        dataset_digest=dataset.digest,
        accuracy=float((predictions == np.array(labels)).mean()),
        macro_f1=macro_f1(predictions, np.array(labels), len(dataset.label_names)),
        rows=len(labels),
        predictions=tuple(int(i) for i in predictions),
        labels=tuple(int(i) for i in labels),
    )
    log.info("%s: test accuracy %.4f", candidate.name, quality.accuracy)
    return quality


def _of_scores(
    candidate: Candidate, dataset: Dataset, predictions: NDArray[np.float64], labels: list[float]
) -> Quality:
    quality = Quality(
        candidate_name=candidate.name,
        candidate_digest=candidate.digest,
        dataset_digest=dataset.digest,
        spearman=spearman(predictions, labels),
        pearson=pearson(predictions, labels),
        rows=len(labels),
        predictions=tuple(float(score) for score in predictions),
        labels=tuple(float(score) for score in labels),
    )
    log.info("%s: test Spearman ρ %.4f", candidate.name, quality.spearman)
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
    """Accuracy of the distilled student minus its control's, with a 95 % interval; of scores,
    Spearman's ρ.

    One seed: a paired bootstrap over the test rows, which says how sure this test set makes us of
    these two models; ρ is computed anew over each draw. Several seeds: a paired t interval over
    the seeds, which also holds what training by chance brings. ``students`` and ``controls`` are
    in the order of the seeds.
    """
    student_merits = np.array([quality.merit for quality in students])
    control_merits = np.array([quality.merit for quality in controls])
    name = "accuracies" if students[0].label_kind == "class" else "spearmans"
    found = {
        f"student_{name}": tuple(student_merits),
        f"control_{name}": tuple(control_merits),
    }
    differences = student_merits - control_merits
    mean = float(differences.mean())
    if len(differences) == 1:
        resampled = _resampled_gains(students[0], controls[0])
        tail = (1 - _CONFIDENCE) / 2
        low, high = np.quantile(resampled, [tail, 1 - tail])
        return Gain(
            student_name=student_name,
            **found,
            mean_gain=mean,
            interval_low=float(low),
            interval_high=float(high),
            method="paired bootstrap over test rows",
        )
    half = _t_quantile(len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences))
    return Gain(
        student_name=student_name,
        **found,
        mean_gain=mean,
        interval_low=float(mean - half),
        interval_high=float(mean + half),
        method="paired t over seeds",
    )


def _resampled_gains(student: Quality, control: Quality) -> list[float]:
    """The gain over test rows drawn with replacement, both models over the same ones."""
    generator = np.random.default_rng(0)
    labels, control_labels = np.array(student.labels), np.array(control.labels)
    predictions, of_control = np.array(student.predictions), np.array(control.predictions)
    if student.label_kind == "class":
        per_row = (predictions == labels).astype(float) - (of_control == control_labels)
        return [float(generator.choice(per_row, len(per_row)).mean()) for _ in range(_RESAMPLES)]
    gains: list[float] = []
    for _ in range(_RESAMPLES // _RESAMPLES_AT_ONCE):
        rows = generator.integers(len(labels), size=(_RESAMPLES_AT_ONCE, len(labels)))
        difference = spearmans(predictions[rows], labels[rows]) - spearmans(
            of_control[rows], control_labels[rows]
        )
        gains += difference.tolist()
    return gains


def _t_quantile(degrees: int) -> float:
    """The two-sided 95 % quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(1 - (1 - _CONFIDENCE) / 2, degrees))
