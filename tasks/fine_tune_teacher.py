"""Fine-tune the teacher, or take it as it is."""

from distillery.nouns import Checkpoint, Dataset
from distillery.recipe import AnyTeacher
from tasks.step import cached_step, recorded, work_folder


@cached_step
def fine_tune_teacher(teacher: AnyTeacher, dataset: Dataset, name: str, seed: int) -> Checkpoint:
    """The teacher as a checkpoint."""
    from distillery import distillation  # loads Trainer

    with recorded(name) as run:
        run.params({"teacher": teacher.model_dump(mode="json"), "seed": seed})
        checkpoint = distillation.fine_tune(
            teacher, dataset, name=name, seed=seed, work=work_folder(), on_epoch=run.epoch
        )
        run.checkpoint(checkpoint)
        return checkpoint.model_copy(update={"tracking_run_id": run.run_id})
