"""Distil one student over text without labels, before its task."""

from distillery.launch import launching
from distillery.launch.jobs import DistilGenerally
from distillery.nouns import Checkpoint, Corpus, Dataset
from distillery.recipe import AnyStudent, Launcher
from distillery.teachers.pretrained import Pretrained
from tasks.step import cached_step, recorded, work_folder


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
        checkpoint = launching.carry_out(job, launcher, work=work_folder(), on_epoch=run.epoch)
        run.checkpoint(checkpoint)
        return checkpoint.model_copy(update={"tracking_run_id": run.run_id})
