"""Train the control of one student with one seed."""

from distillery.nouns import Checkpoint, Corpus, Dataset, Teacher
from distillery.recipe import AnyStudent
from tasks.step import cached_step, recorded, work_folder


@cached_step
def train_control(
    control: AnyStudent,
    teacher: Teacher,
    dataset: Dataset,
    corpus: Corpus | None,
    start: Checkpoint | None,
    seed: int,
) -> Checkpoint:
    """``control``: the student ``as_control()``. The same start, hard labels only.

    It trains on no row of the corpus, which has no labels; its vocabulary is the student's.
    """
    from distillery import distillation  # loads Trainer

    with recorded(f"{control.name} seed {seed}") as run:
        run.params({"student": control.model_dump(mode="json"), "seed": seed})
        checkpoint = distillation.distill(
            control,
            teacher,
            (),
            dataset,
            corpus,
            start=start,
            role="control",
            seed=seed,
            work=work_folder(),
            on_epoch=run.epoch,
        )
        run.checkpoint(checkpoint)
        return checkpoint.model_copy(update={"tracking_run_id": run.run_id})
