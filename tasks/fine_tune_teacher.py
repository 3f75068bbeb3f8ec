"""Fine-tune the teacher, or take it as it is."""

from distillery.launch import launching
from distillery.launch.jobs import FineTune
from distillery.nouns import Checkpoint, Dataset
from distillery.recipe import AnyTeacher, Launcher
from tasks.step import cached_step, recorded, work_folder


@cached_step
def fine_tune_teacher(
    teacher: AnyTeacher, dataset: Dataset, name: str, seed: int, launcher: Launcher
) -> Checkpoint:
    """The teacher as a checkpoint."""
    with recorded(name) as run:
        run.params({"teacher": teacher.model_dump(mode="json"), "seed": seed})
        job = FineTune(teacher=teacher, dataset=dataset, name=name, seed=seed)
        checkpoint = launching.carry_out(job, launcher, work=work_folder(), on_epoch=run.epoch)
        run.checkpoint(checkpoint)
        return checkpoint.model_copy(update={"tracking_run_id": run.run_id})
