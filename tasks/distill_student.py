"""Distil one student with one seed."""

from collections.abc import Sequence

from distillery import digests
from distillery.launch.jobs import Distil
from distillery.nouns import Checkpoint, Corpus, Dataset, SoftLabels, Teacher
from distillery.recipe import AnyStudent, Launcher
from tasks.step import cached_step, recorded
from tasks.training import trained


@cached_step
def distill_student(
    student: AnyStudent,
    teacher: Teacher,
    soft_labels: Sequence[SoftLabels],
    dataset: Dataset,
    corpus: Corpus | None,
    start: Checkpoint | None,
    seed: int,
    launcher: Launcher,
) -> Checkpoint:
    """The student as a checkpoint."""
    # a name stands for several trainings in a temperature study, and in generations
    which = digests.of_json([student.identity, teacher.identity])[:8]
    with recorded(f"{student.name} seed {seed} {which}") as run:
        run.params({"student": student.model_dump(mode="json"), "seed": seed})
        job = Distil(
            student=student,
            teacher=teacher,
            soft_labels=tuple(soft_labels),
            dataset=dataset,
            corpus=corpus,
            start=start,
            role="student",
            seed=seed,
        )
        return trained(job, launcher, run, student.name)
