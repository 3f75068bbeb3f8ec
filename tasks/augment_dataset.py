"""More rows for the students that ask for them, labelled by the teacher later."""

from collections.abc import Sequence

from distillery.data import corpora, preparation
from distillery.nouns import Checkpoint, Corpus, Dataset
from distillery.recipe import AnyAugmentation
from tasks.step import cached_step, recorded, work_folder


@cached_step
def augment_dataset(
    augmentations: Sequence[AnyAugmentation], dataset: Dataset, teacher: Checkpoint, seed: int
) -> Corpus:
    """New rows alone; none stands in the data set already, held-out rows included."""
    from distillery import checkpoints  # loads torch
    from distillery.augmentation.corpus import augment

    with recorded("augment-dataset") as run:
        texts, _ = preparation.read(dataset, "train")
        held_out = [
            text for split in ("validation", "test") for text in preparation.read(dataset, split)[0]
        ]
        found = augment(
            augmentations,
            texts,
            held_out,
            teacher=checkpoints.load(teacher),
            seed=seed,
            work=work_folder(),
        )
        run.params({"augmentations": [one.model_dump(mode="json") for one in augmentations]})
        run.metrics(
            {
                f"{one.kind}_{name}": value
                for one in found.made
                for name, value in one.model_dump(exclude={"kind"}).items()
            }
        )
        return corpora.store(
            found.texts,
            is_pair=dataset.is_pair,
            image_shape=dataset.image_shape,
            origin=", ".join(one.told for one in found.made),
        )
