"""Text without labels, for general distillation."""

from distillery.augmentation.unlabelled import Unlabelled
from distillery.data import corpora
from distillery.nouns import Corpus
from tasks.step import fresh_step, recorded


@fresh_step
def prepare_corpus(text: Unlabelled, seed: int) -> Corpus:
    """Always read anew, since a source can change; equal content lands on the same digest."""
    with recorded("prepare-corpus") as run:
        corpus = corpora.store(text.texts(seed=seed), is_pair=False, origin=text.source)
        run.params({"text": text.model_dump(mode="json", exclude_none=True)})
        run.metrics({"rows": corpus.rows})
        return corpus
