"""A registry with small models in it, and some that misbehave when they are served."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from export import tiny
from factories import make_candidate, make_checkpoint
from mlflow import MlflowClient

from distillery import storage, tracking
from distillery.export import candidates
from distillery.nouns import RegisteredVersion
from distillery.recipe import Export
from distillery.runtimes.base import Card

MODEL = "intents"
SLOW_SECONDS = 2.0
_SERVED_CODE = "text_classifier.py"
_SLOW = f"""
import time

_quick = TextClassifier.examples


def _examples(self, model_input):
    if "slow" in str(model_input["text"][0]):
        time.sleep({SLOW_SECONDS})
    return _quick(self, model_input)


TextClassifier.examples = _examples
"""
_LYING = """
_honest = TextClassifier.answers
TextClassifier.answers = lambda self, logits: _honest(self, logits[:, ::-1])
"""
_BROKEN = "raise RuntimeError('this model does not load')\n"


class Registry:
    """``first`` and ``second`` serve, the first slowly where a text says so; ``lying`` answers
    otherwise than its graph, ``broken`` does not load, ``damaged`` lost a bit in the store."""

    def __init__(self, folder: Path) -> None:
        self._uri = f"sqlite:///{folder / 'mlflow.db'}"
        with pytest.MonkeyPatch.context() as patch:
            self.use(patch, storage=folder)
            self._fill()

    def use(self, patch: pytest.MonkeyPatch, *, storage: Path) -> None:
        """This store, and a storage of the test's own."""
        patch.setenv("DISTILLERY_STORAGE", str(storage))
        patch.setenv("MLFLOW_TRACKING_URI", self._uri)
        tracking.connect()

    def _fill(self) -> None:
        with storage.new_folder() as folder:
            checkpoint = make_checkpoint(
                artifact=storage.put(tiny.save_checkpoint(folder), "checkpoint"),
                label_names=tiny.LABELS,
            )
        made = candidates.fp32_candidate(
            checkpoint, tiny.TEXTS, Export(parity_rows=8), is_pair=False
        )
        self.candidate = storage.fetch(made.artifact)
        tracking.open_flow_run("recipe", "flow", {})
        self.first = self.register("first")
        self.second = self.register("second")
        self.lying = self.register("lying")
        self.broken = self.register("broken")
        self.damaged = self.register("damaged")
        _append(self.first, _SLOW)
        _append(self.lying, _LYING)
        _append(self.broken, _BROKEN)
        (graph,) = _stored(self.damaged).rglob("model.onnx")
        content = bytearray(graph.read_bytes())
        content[len(content) // 2] ^= 1
        graph.write_bytes(content)

    def register(self, name: str, model: str = MODEL) -> RegisteredVersion:
        """The one graph under a name of its own, and so with a digest of its own."""
        with storage.new_folder() as folder:
            shutil.copytree(self.candidate, folder, dirs_exist_ok=True)
            replace(Card.read(folder), name=name).write(folder)
            artifact = storage.put(folder, "candidate")
        candidate = make_candidate(name, artifact=artifact, label_names=tiny.LABELS)
        with tracking.step_run("flow", "register") as step:
            return tracking.register(candidate, model=model, tags={}, step=step)


def _append(version: RegisteredVersion, code: str) -> None:
    """To what the registry holds beside the candidate, whose digest stays."""
    (path,) = _stored(version).rglob(_SERVED_CODE)
    path.write_text(path.read_text(encoding="utf-8") + code, encoding="utf-8")


def _stored(version: RegisteredVersion) -> Path:
    uri = MlflowClient().get_model_version_download_uri(version.model, version.version)
    return Path(uri.removeprefix("file://"))
