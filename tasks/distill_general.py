"""Distil one student over text without labels, before its task."""

from distillery.nouns import Checkpoint, Corpus, Dataset
from distillery.recipe import AnyStudent
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
) -> Checkpoint:
    """``student``: without its task stages, which change nothing here."""
    from distillery import general  # loads Trainer

    with recorded(f"{student.name} general") as run:
        run.params({"student": student.model_dump(mode="json"), "seed": seed})
        checkpoint = general.distill_generally(
            student,
            source,
            language_model,
            corpus,
            dataset.label_names,
            is_pair=dataset.is_pair,
            seed=seed,
            work=work_folder(),
            on_epoch=run.epoch,
        )
        run.checkpoint(checkpoint)
        return checkpoint.model_copy(update={"tracking_run_id": run.run_id})
