"""The pre-trained encoder as a language model, for general distillation over tokens."""

from distillery.launch.jobs import LanguageModel
from distillery.nouns import Checkpoint, Corpus
from distillery.objectives.base import Training
from distillery.recipe import Launcher
from distillery.teachers.pretrained import Pretrained
from tasks.step import cached_step, recorded
from tasks.training import trained


@cached_step
def train_language_model(
    source: Pretrained, corpus: Corpus, training: Training, seed: int, launcher: Launcher
) -> Checkpoint:
    """As it is where its checkpoint has a head; else a head is trained first."""
    with recorded("language-model") as run:
        job = LanguageModel(source=source, corpus=corpus, training=training, seed=seed)
        checkpoint = trained(job, launcher, run, "language-model")
        run.tags({"head": "trained here" if checkpoint.history else "of the checkpoint"})
        return checkpoint
