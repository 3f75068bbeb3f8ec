"""Image models through the library's other doors: resumed, timed, registered, asked."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pictures
import pytest

from distillery import digests, preflight, storage, tracking
from distillery.benchmarking.plan import Entry, Plan
from distillery.data import preparation
from distillery.errors import UserError
from distillery.export import candidates
from distillery.measurements import Offline, Scenario
from distillery.nouns import Candidate, Checkpoint, Dataset, Epoch, RegisteredVersion
from distillery.objectives.base import Training
from distillery.recipe import Export, Recipe
from distillery.targets.this_machine import ThisMachine
from distillery.teachers.cnn import CnnTeacher
from distillery.training import distillation

TEACHER = CnnTeacher(
    channels=(8, 16),
    hidden_size=32,
    training=Training(epochs=4, learning_rate=1e-2, batch_size=16, patience_epochs=4),
)


class KilledError(Exception):
    """Stands for a kill between two epochs."""


def _recipe(source: Path, **changes: Any) -> dict[str, Any]:
    return {
        "name": "toy",
        "data": {"source": str(source), "image": "image"},
        "teacher": {"kind": "cnn", "channels": [8, 16], "hidden_size": 32},
        "students": [{"name": "a", "kind": "mlp", "hidden_sizes": [16]}],
    } | changes


def _tune(dataset: Dataset, work: str, killed_after: int = 0) -> tuple[Checkpoint, list[float]]:
    seen: list[float] = []

    def on_epoch(epoch: Epoch) -> None:
        if seen and len(seen) == killed_after:
            raise KilledError
        seen.append(epoch.epoch)

    made = distillation.fine_tune(
        TEACHER, dataset, name="teacher", seed=3, work=storage.work(work), on_epoch=on_epoch
    )
    return made, seen


@pytest.mark.usefixtures("storage_root")
def test_a_cut_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    dataset = pictures.make_dataset(tmp_path)
    whole, _ = _tune(dataset, "whole")
    with pytest.raises(KilledError):
        _tune(dataset, "cut", killed_after=2)
    resumed, seen = _tune(dataset, "cut")
    assert seen == [3.0, 4.0]
    assert resumed.history == whole.history
    weights = [
        digests.of_file(storage.fetch(one.artifact) / "model.safetensors")
        for one in (whole, resumed)
    ]
    assert weights[0] == weights[1]


class World:
    """A trained model, its candidates, and its registered version."""

    def __init__(self, folder: Path) -> None:
        tracking.connect()
        self.dataset = pictures.make_dataset(folder / "source", train=160)
        checkpoint, _ = _tune(self.dataset, "teacher")
        images, _ = preparation.read(self.dataset, "validation")
        self.pytorch: Candidate = candidates.pytorch_candidate(checkpoint, is_pair=False)
        self.fp32: Candidate = candidates.fp32_candidate(
            checkpoint, images, Export(), is_pair=False
        )
        tracking.open_flow_run("recipe", "flow", {})
        with tracking.step_run("flow", "register") as step:
            self.version: RegisteredVersion = tracking.register(
                self.fp32, model="pictures", tags={}, step=step
            )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLERY_STORAGE", str(folder / "storage"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield World(folder)


def test_it_is_timed_like_any_other(world: World) -> None:
    images, _ = preparation.read(world.dataset, "test")
    entries = [
        Entry(name=c.name, digest=c.digest, folder=storage.fetch(c.artifact), runtime=c.runtime)
        for c in (world.pytorch, world.fp32)
    ]
    scenario = Scenario(requests=100, rounds=2, offline=Offline(batch_sizes=(4,), batches=3))
    measured = ThisMachine().measure(entries, images, scenario, 1)
    assert [len(one.latencies_ms) for one in measured] == [100, 100]
    assert min(one.rows_per_second for one in measured) > 0


def test_a_plan_holds_texts_or_images(tmp_path: Path) -> None:
    entry = Entry(name="a", digest="b", folder=tmp_path, runtime="onnxruntime")
    for given in ({}, {"texts": ("a",), "images": tmp_path / "images.npy"}):
        with pytest.raises(ValueError, match="one of the two"):
            Plan(entries=(entry,), scenario=Scenario(), threads=1, target="here", **given)


def test_the_registered_model_takes_files_and_pixels(world: World) -> None:
    images, labels = pictures.pictures(8, seed=5)
    loaded = mlflow.pyfunc.load_model(world.version.uri)
    files = [base64.b64encode(pictures.png(image)).decode() for image in images]
    of_files = loaded.predict(pd.DataFrame({"image": files}))
    nested = [image.pixels.tolist() for image in images]
    flat = [image.pixels[..., 0].tolist() for image in images]
    for pixels in (nested, flat):
        pd.testing.assert_frame_equal(loaded.predict(pd.DataFrame({"image": pixels})), of_files)
    assert list(of_files.columns) == ["label", "probability", "probabilities"]
    right = np.array([pictures.LABELS[label] for label in labels]) == of_files["label"]
    assert right.mean() > 0.8
    assert of_files["probabilities"][0].keys() == set(pictures.LABELS)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("not base64!", "no base64"),
        ("aGVsbG8=", "cannot identify"),
        ([[0.5, 1.0]], "whole numbers"),
        ([[1, 2], [3]], "rows of equal length"),
        ([[1, 2], [3, 4]], "resize it"),
    ],
)
def test_what_it_cannot_read_is_said(world: World, value: object, why: str) -> None:
    loaded = mlflow.pyfunc.load_model(world.version.uri)
    with pytest.raises(ValueError, match=why):
        loaded.predict(pd.DataFrame({"image": [value]}))


def test_it_is_served_without_torch(world: World, tmp_path: Path) -> None:
    script = (
        "import sys, mlflow, pandas as pd;"
        "loaded = mlflow.pyfunc.load_model(sys.argv[1]);"
        "loaded.predict(pd.DataFrame({'image': [[[0] * 8] * 8]}));"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    folder = mlflow.artifacts.download_artifacts(world.version.uri, dst_path=str(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
    requirements = (Path(folder) / "requirements.txt").read_text()
    assert "pillow" in requirements
    assert "torch" not in requirements


def test_files_are_asked_about_by_path(world: World, tmp_path: Path) -> None:
    (image,), _ = pictures.pictures(1, seed=5)
    (tmp_path / "one.png").write_bytes(pictures.png(image))
    (found,) = tracking.predict(world.version.uri, [str(tmp_path / "one.png")])
    assert found["label"] in pictures.LABELS
    (tmp_path / "words.txt").write_text("no picture")
    (big,), _ = pictures.pictures(1, channels=3)
    (tmp_path / "colour.png").write_bytes(pictures.png(big))
    for path, why in (
        ("nowhere.png", "cannot read the image"),
        (str(tmp_path / "words.txt"), "is no image"),
        (str(tmp_path / "colour.png"), "resize it"),
    ):
        with pytest.raises(UserError, match=why) as refused:
            tracking.predict(world.version.uri, [path])
        assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("storage_root")
def test_a_sound_recipe_of_images_passes(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(_recipe(pictures.write_source(tmp_path)))
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    plan = preflight.check(recipe)
    assert plan.image_shape == (8, 8, 1)
    weights = preflight.parameters(recipe, labels=4, image_shape=plan.image_shape)
    assert weights["a"] == 64 * 16 + 16 + 16 * 4 + 4


@pytest.mark.usefixtures("storage_root")
@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {
                "students": [
                    {"name": "a", "kind": "mlp", "task": [{"objective": "tinybert_layers"}]}
                ]
            },
            r"student 'a', task 0 \(tinybert_layers\): this student has no transformer layers",
        ),
        ({"teacher": {"kind": "cnn", "channels": [4, 4, 4, 4]}}, "at most 3 numbers"),
        (
            {"augmentation": [{"kind": "shifted_images", "max_shift_pixels": 5}]},
            "augmentation: shifted_images: max_shift_pixels 5 moves half of an image of 8×8",
        ),
    ],
)
def test_what_would_stop_it_later_is_said_first(
    tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    recipe = Recipe.model_validate(_recipe(pictures.write_source(tmp_path), **changes))
    with pytest.raises(UserError, match=line):
        preflight.check(recipe)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"teacher": {"kind": "from_scratch"}}, "does not read images"),
        ({"students": [{"name": "a", "kind": "bilstm"}]}, "does not read images"),
        ({"data": {"source": "x"}}, r"does not read text.*data\.image"),
        ({"data": {"source": "x", "image": "i", "text": "t"}}, "both given"),
        (
            {"augmentation": [{"kind": "tang_rules"}]},
            "kind tang_rules does not make images, which the data holds; use shifted_images",
        ),
        (
            {
                "data": {"source": "x"},
                "teacher": {"kind": "from_scratch"},
                "students": [{"name": "a", "kind": "bilstm"}],
                "augmentation": [{"kind": "shifted_images"}],
            },
            "kind shifted_images does not make text, which the data holds; use masked_words",
        ),
        (
            {"general_distillation": {"text": {"source": "x"}}},
            "general_distillation is for text; leave it out for images",
        ),
        (
            {
                "students": [
                    {"name": "a", "kind": "soft_tree", "task": [{"objective": "patient_kd"}]}
                ]
            },
            "patient_kd",
        ),
    ],
)
def test_kinds_that_do_not_fit_are_refused_with_the_recipe(
    changes: dict[str, Any], line: str
) -> None:
    with pytest.raises(ValueError, match=line):
        Recipe.model_validate(_recipe(Path("x"), **changes))
