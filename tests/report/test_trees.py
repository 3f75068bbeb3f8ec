"""A tree's drawing: the numbers it shows are the model's own."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pictures
import pytest
import torch
from factories import make_checkpoint

from distillery import checkpoints
from distillery.architectures.soft_tree import SoftTree, SoftTreeConfig
from distillery.data import preparation
from distillery.report import trees
from distillery.report.trees import Tree
from distillery.teachers.base import LoadedModel
from distillery.training.encoding import collator_of, inputs_of


@pytest.fixture(params=[1, 5], ids=["one decision", "five"])
def drawn(
    request: pytest.FixtureRequest, tmp_path: Path, storage_root: Path
) -> tuple[LoadedModel, Tree]:
    torch.manual_seed(1)
    config = SoftTreeConfig(
        depth=request.param,
        image_shape=(8, 8, 3),
        pixel_mean=(0.3, 0.4, 0.5),
        pixel_std=(0.2, 0.3, 0.1),
        num_labels=4,
    )
    loaded = LoadedModel(model=SoftTree(config), tokenizer=None)
    dataset = pictures.make_dataset(tmp_path, channels=3)
    checkpoint = make_checkpoint(artifact=checkpoints.save(loaded), label_names=pictures.LABELS)
    examples, labels = preparation.read(dataset, "test")
    images, _ = pictures.pictures(24, seed=2, channels=3)
    assert images == examples
    tree = trees._read(checkpoint, images, labels)
    assert tree is not None
    return loaded, tree


def test_its_paths_are_the_models(drawn: tuple[LoadedModel, Tree]) -> None:
    loaded, tree = drawn
    with torch.no_grad():
        rows = inputs_of(loaded, tree.images, 0)
        found = loaded.model(**collator_of(loaded)(rows))
    np.testing.assert_allclose(tree.paths(), found.paths.exp().numpy(), rtol=1e-4)
    np.testing.assert_allclose(
        np.log(tree.paths() @ tree.leaves), found.logits.numpy(), rtol=1e-4, atol=1e-5
    )


def test_it_is_drawn_with_its_filters(drawn: tuple[LoadedModel, Tree]) -> None:
    _, tree = drawn
    levels, path = trees.upper_levels(tree), trees.one_path(tree)
    for svg in (levels, path):
        ElementTree.fromstring(svg)
    filters = min(7, len(tree.biases))
    assert levels.count("<image") == filters
    assert path.count("<image") == 1 + tree.depth
    assert f"label {pictures.LABELS[tree.labels[0]]}" in path
    assert "% of images" in levels


def test_other_students_are_not_drawn(storage_root: Path, tmp_path: Path) -> None:
    from distillery.architectures.mlp import Mlp, MlpConfig

    plain = LoadedModel(model=Mlp(MlpConfig(image_shape=(8, 8, 1))), tokenizer=None)
    checkpoint = make_checkpoint(artifact=checkpoints.save(plain))
    assert trees._read(checkpoint, pictures.pictures(2)[0], [0, 1]) is None
