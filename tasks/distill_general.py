"""Distil one student over text without labels, before its task."""

from distillery.launch.jobs import DistilGenerally
from distillery.nouns import Checkpoint, Corpus, Dataset
from distillery.recipe import AnyStudent, Launcher
from distillery.teachers.pretrained import Pretrained
from tasks.step import cached_step, recorded
from tasks.training import trained


@cached_step
def distill_general(
    student: AnyStudent,
    source: Pretrained,
    language_model: Checkpoint | None,
    corpus: Corpus,
    dataset: Dataset,
    seed: int,
    launcher: Launcher,
) -> Checkpoint:
    """``student``: without its task stages, which change nothing here."""
    with recorded(f"{student.name} general") as run:
        run.params({"student": student.model_dump(mode="json"), "seed": seed})
        job = DistilGenerally(
            student=student,
            source=source,
            language_model=language_model,
            corpus=corpus,
            label_names=dataset.label_names,
            is_pair=dataset.is_pair,
            seed=seed,
        )
        return trained(job, launcher, run, f"{student.name} general")
