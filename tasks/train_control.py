"""Train the control of one student with one seed."""

from distillery.launch import launching
from distillery.launch.jobs import Distil
from distillery.nouns import Checkpoint, Corpus, Dataset, Teacher
from distillery.recipe import AnyStudent, Launcher
from tasks.step import cached_step, recorded, work_folder


@cached_step
def train_control(
    control: AnyStudent,
    teacher: Teacher,
    dataset: Dataset,
    corpus: Corpus | None,
    start: Checkpoint | None,
    seed: int,
    launcher: Launcher,
) -> Checkpoint:
    """``control``: the student ``as_control()``. The same start, hard labels only.

    It trains on no row of the corpus, which has no labels; its vocabulary is the student's.
    """
    with recorded(f"{control.name} seed {seed}") as run:
        run.params({"student": control.model_dump(mode="json"), "seed": seed})
        job = Distil(
            student=control,
            teacher=teacher,
            soft_labels=(),
            dataset=dataset,
            corpus=corpus,
            start=start,
            role="control",
            seed=seed,
        )
        checkpoint = launching.carry_out(job, launcher, work=work_folder(), on_epoch=run.epoch)
        run.checkpoint(checkpoint)
        return checkpoint.model_copy(update={"tracking_run_id": run.run_id})
