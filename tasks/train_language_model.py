"""The pre-trained encoder as a language model, for general distillation over tokens."""

from distillery.launch import launching
from distillery.launch.jobs import LanguageModel
from distillery.nouns import Checkpoint, Corpus
from distillery.objectives.base import Training
from distillery.recipe import Launcher
from distillery.teachers.pretrained import Pretrained
from tasks.step import cached_step, recorded, work_folder


@cached_step
def train_language_model(
    source: Pretrained, corpus: Corpus, training: Training, seed: int, launcher: Launcher
) -> Checkpoint:
    """As it is where its checkpoint has a head; else a head is trained first."""
    with recorded("language-model") as run:
        job = LanguageModel(source=source, corpus=corpus, training=training, seed=seed)
        checkpoint = launching.carry_out(job, launcher, work=work_folder(), on_epoch=run.epoch)
        run.tags({"head": "trained here" if checkpoint.history else "of the checkpoint"})
        run.checkpoint(checkpoint)
        return checkpoint.model_copy(update={"tracking_run_id": run.run_id})
