"""Fine-tune the teacher, or take it as it is."""

from distillery.launch.jobs import FineTune
from distillery.nouns import Checkpoint, Dataset
from distillery.recipe import AnyTeacher, Launcher
from tasks.step import cached_step, recorded
from tasks.training import trained


@cached_step
def fine_tune_teacher(
    teacher: AnyTeacher, dataset: Dataset, name: str, seed: int, launcher: Launcher
) -> Checkpoint:
    """The teacher as a checkpoint."""
    with recorded(name) as run:
        run.params({"teacher": teacher.model_dump(mode="json"), "seed": seed})
        job = FineTune(teacher=teacher, dataset=dataset, name=name, seed=seed)
        return trained(job, launcher, run, name)
