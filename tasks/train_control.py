"""Train the control of one student with one seed."""

from distillery.launch.jobs import Distil
from distillery.nouns import Checkpoint, Corpus, Dataset, Teacher
from distillery.recipe import AnyStudent, Launcher
from tasks.step import cached_step, recorded
from tasks.training import trained


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
        return trained(job, launcher, run, control.name)
