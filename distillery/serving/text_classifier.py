"""The registered model (MLflow "models from code"): text in, labels and probabilities out.

Depends on onnxruntime, tokenizers, numpy and pandas only; ``distillery.runtimes`` travels with
the model. What runs here is the engine that was evaluated and benchmarked.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from distillery.runtimes.base import Text, softmax
from distillery.runtimes.onnxruntime_cpu import OnnxRuntimeCpu


class TextClassifier(PythonModel):
    """Columns: ``text``, and ``text_pair`` where it classifies pairs."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the graph and the tokenizer."""
        self._engine = OnnxRuntimeCpu(Path(context.artifacts["candidate"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,
    ) -> pd.DataFrame:
        """``label``, its ``probability``, and the ``probabilities`` of all labels, a row each."""
        names = self._engine.card.label_names
        texts: list[Text] = [str(text) for text in model_input["text"]]
        if self._engine.card.is_pair:
            pairs = (str(text) for text in model_input["text_pair"])
            texts = [(str(first), second) for first, second in zip(texts, pairs, strict=True)]
        probabilities = softmax(self._engine.predict(texts))
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


set_model(TextClassifier())
