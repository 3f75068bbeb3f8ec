"""What every registered model is (MLflow "models from code"): a candidate's engine behind a table.

Depends on onnxruntime, tokenizers, numpy and pandas only, and for images on pillow; this file and
``distillery.runtimes`` travel with the model. What runs here is the engine that was evaluated and
benchmarked, with the threads that it was benchmarked with.
"""

import json
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray

from distillery.runtimes.base import Example, Text, softmax
from distillery.runtimes.onnxruntime_cpu import OnnxRuntimeCpu
from distillery.serving.reading import ExampleError, texts_in


class Served(PythonModel):
    """Examples in, one row of answers each."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the graph and, for text, the tokenizer.

        Raises ``ValueError`` where ``DISTILLERY_THREADS`` is no number of threads.
        """
        self.threads = served_threads(_settings(context), os.environ)
        self._engine = OnnxRuntimeCpu(Path(context.artifacts["candidate"]), threads=self.threads)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,
    ) -> pd.DataFrame:
        """A row of answers for each row. Raises ``ExampleError`` for what is no example."""
        return self.answers(self._engine.predict(self.examples(model_input)))

    @abstractmethod
    def examples(self, model_input: pd.DataFrame) -> Sequence[Example]:
        """What the engine reads."""

    @abstractmethod
    def answers(self, logits: NDArray[np.float32]) -> pd.DataFrame:
        """What is said of (N, C) logits."""

    def texts(self, model_input: pd.DataFrame) -> list[Text]:
        """Column ``text``, with ``text_pair`` where the model reads pairs.

        Raises ``ExampleError`` for what is no text.
        """
        if not self._engine.card.is_pair:
            return [*texts_in(model_input, "text")]
        first, second = texts_in(model_input, "text"), texts_in(model_input, "text_pair")
        if len(first) != len(second):
            raise ExampleError(min(len(first), len(second)) + 1, "one text of the pair is missing")
        return [*zip(first, second, strict=True)]

    def labels(self, logits: NDArray[np.float32]) -> pd.DataFrame:
        """``label``, its ``probability``, and the ``probabilities`` of all labels."""
        names = self._engine.card.label_names
        probabilities = softmax(logits)
        best = probabilities.argmax(-1)
        return pd.DataFrame(
            {
                "label": [names[i] for i in best],
                "probability": probabilities[np.arange(len(best)), best].astype(float),
                "probabilities": [
                    {name: float(p) for name, p in zip(names, row, strict=True)}
                    for row in probabilities
                ],
            }
        )


def _settings(context: PythonModelContext) -> Mapping[str, object]:
    file = context.artifacts.get("serving")
    if file is None:  # an older version, loaded beside today's code
        return context.model_config or {}
    found: Mapping[str, object] = json.loads(Path(file).read_text(encoding="utf-8"))
    return found


def served_threads(configured: Mapping[str, object], environment: Mapping[str, str]) -> int:
    """``DISTILLERY_THREADS``, or those that the version was registered with; 0 is one a core.

    The latter are no more than there are CPUs here: threads that share one only wait for each
    other.
    """
    asked = environment.get("DISTILLERY_THREADS")
    if asked is not None:
        if not asked.isdecimal():
            raise ValueError(
                f"DISTILLERY_THREADS is '{asked}'; give a whole number of threads, 0 for one a core"
            )
        return int(asked)
    threads = configured.get("threads", 0)
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(int(str(threads)), here or 1)
