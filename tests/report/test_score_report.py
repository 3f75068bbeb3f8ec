"""A run over scores: everything that is said of accuracy is said of Spearman's ρ, and named so."""

from io import StringIO

import pytest
from rich.console import Console
from run_by_hand import run
from scipy.stats import spearmanr
from test_page import read

from distillery.nouns import Dataset, Epoch, Findings, Gain, Quality
from distillery.report import tables, units
from distillery.report.plots import accuracy_against_latency, per_class_changes, training_curves
from distillery.report.results import result_rows

TRUTH = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
BY_TEACHER = (0.5, 0.0, 2.5, 3.0, 4.5, 4.75)
BY_STUDENT = (1.0, 0.5, 3.0, 2.0, 4.5, 4.75)
BY_CONTROL = (5.0, 0.5, 3.0, 2.0, 4.0, 4.75)


@pytest.fixture
def findings() -> Findings:
    """The run by hand, graded."""
    classes = run()
    split = classes.dataset.test.model_copy(update={"label_counts": ()})
    dataset = Dataset.model_validate(
        {
            **classes.dataset.model_dump(),
            "label_names": ("score",),
            "score_range": (0, 5),
            "train": split,
            "validation": split,
            "test": split,
        }
    )
    said = {"teacher pytorch": BY_TEACHER, "student int8": BY_STUDENT}
    epochs = (
        Epoch(
            epoch=1,
            train_loss=1,
            validation_loss=0.1,
            validation_accuracy=None,
            validation_spearman=0.25,
        ),
    )
    return classes.model_copy(
        update={
            "dataset": dataset,
            "gates": {**classes.gates, "accuracy_min": 0.85, "prefer": "accuracy"},
            "qualities": tuple(
                Quality(
                    candidate_name=quality.candidate_name,
                    candidate_digest=quality.candidate_digest,
                    dataset_digest="d",
                    spearman=_rho(said.get(quality.candidate_name, BY_CONTROL), TRUTH),
                    pearson=0.75,
                    rows=len(TRUTH),
                    predictions=said.get(quality.candidate_name, BY_CONTROL),
                    labels=TRUTH,
                )
                for quality in classes.qualities
            ),
            "gains": (
                Gain(
                    student_name="student",
                    student_spearmans=(0.886,),
                    control_spearmans=(0.371,),
                    mean_gain=0.515,
                    interval_low=-0.02,
                    interval_high=0.9,
                    method="paired bootstrap over test rows",
                ),
            ),
            "teachers": tuple(
                one.model_copy(update={"history": epochs}) for one in classes.teachers
            ),
            "students": tuple(
                one.model_copy(update={"history": epochs}) for one in classes.students
            ),
            "controls": (),
            "candidates": tuple(
                one.model_copy(
                    update={
                        "parities": tuple(
                            parity.model_copy(
                                update={
                                    "mean_kl": None,
                                    "label_flip_rate": None,
                                    "label_flip_interval": None,
                                    "rank_disagreement": 0.0625,
                                }
                            )
                            for parity in one.parities
                        )
                    }
                )
                for one in classes.candidates
            ),
            "verdict": classes.verdict.model_copy(
                update={"summary": "student int8 is promoted: Spearman ρ 0.8857 ≥ 0.8500."}
            ),
        }
    )


def _rho(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return float(spearmanr(one, other).statistic)


def test_a_student_next_to_its_teacher(findings: Findings) -> None:
    row = next(r for r in result_rows(findings) if r.candidate == "student int8")
    assert (row.accuracy, row.macro_f1, row.accuracy_kept, row.agreement) == (None,) * 4
    assert row.spearman == pytest.approx(_rho(BY_STUDENT, TRUTH))
    assert row.spearman_kept == pytest.approx(_rho(BY_STUDENT, TRUTH) / _rho(BY_TEACHER, TRUTH))
    assert row.spearman_with_teacher == pytest.approx(_rho(BY_STUDENT, BY_TEACHER))
    assert row.record["pearson"] == 0.75
    assert not {"accuracy", "macro_f1", "accuracy_kept", "agreement"} & set(row.record)


def test_rows_of_classes_have_no_columns_of_scores() -> None:
    record = result_rows(run())[0].record
    assert not [name for name in record if "spearman" in name or "pearson" in name]
    assert {"accuracy", "macro_f1", "accuracy_kept", "agreement", "p50_ms"} <= set(record)


def test_nothing_is_kept_of_a_teacher_that_ranks_nothing(findings: Findings) -> None:
    qualities = tuple(
        quality.model_copy(update={"spearman": -0.1})
        if quality.candidate_name == "teacher pytorch"
        else quality
        for quality in findings.qualities
    )
    rows = result_rows(findings.model_copy(update={"qualities": qualities}))
    assert {row.spearman_kept for row in rows} == {None}


def test_tables_name_what_they_show(findings: Findings) -> None:
    rows = result_rows(findings)
    heading = tables.as_markdown(rows).splitlines()[0]
    assert "| Spearman ρ | Pearson r | Spearman ρ kept | ρ with teacher |" in heading
    console = Console(file=StringIO(), width=120)
    console.print(tables.rich_table(rows, width=120))
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "Spearman ρ" in text
    assert "0.886" in text
    assert "ccuracy" not in text


def test_the_page_says_nothing_of_classes(findings: Findings) -> None:
    html, page = read(findings)
    shown = page.text.replace("accuracy_", "")  # the gates' names in the recipe stay
    for word in ("ccuracy", "Macro F1", "flipped", "KL", "classes", "ross-entropy", "ecall"):
        assert word not in shown, word
    assert "of the teacher's Spearman ρ kept" in page.text
    assert "ρ = 0.886, Pearson's r = 0.750 over 10 test rows" in page.text
    assert "with scores from 0 to 5" in page.text
    assert "+0.515 of Spearman ρ from distillation" in page.text
    assert "Spearman ρ at least 0.85 0.886" in page.text
    assert "prefers the highest Spearman ρ" in page.text
    assert "taken from the training rows, at random" in page.text
    assert "0.062" in page.text, "1 − ρ of int8"
    assert 'href="#classes"' not in html


def test_plots_name_what_they_show(findings: Findings) -> None:
    drawn = accuracy_against_latency.svg(findings)
    assert drawn is not None
    assert "Test Spearman ρ" in drawn
    assert "Spearman ρ at least 0.85" in drawn
    assert "ccuracy" not in drawn.replace('id="accuracy', "").replace("#accuracy", "")
    curves = training_curves.svg(findings)
    assert curves is not None
    assert "Validation Spearman ρ" in curves
    assert "squared error" in curves
    assert per_class_changes.svg(findings) is None


def test_differences_of_rho_are_no_percentage_points() -> None:
    assert units.signed(0.0125) == "+0.013" or units.signed(0.0125) == "+0.012"
    assert units.signed(-0.0121) == "−0.012"
    assert units.signed(0.0001) == "0.000"
