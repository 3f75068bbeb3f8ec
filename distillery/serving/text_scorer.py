"""The registered model (MLflow "models from code"): text in, a score out.

Depends on onnxruntime, tokenizers, numpy and pandas only; ``distillery.runtimes`` travels with
the model. What runs here is the engine that was evaluated and benchmarked.
"""

from pathlib import Path

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from distillery.runtimes.base import Text
from distillery.runtimes.onnxruntime_cpu import OnnxRuntimeCpu


class TextScorer(PythonModel):
    """Columns: ``text``, and ``text_pair`` where it scores pairs."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the graph and the tokenizer."""
        self._engine = OnnxRuntimeCpu(Path(context.artifacts["candidate"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,
    ) -> pd.DataFrame:
        """``score``, in the unit of the labels that it learned from, a row each."""
        texts: list[Text] = [str(text) for text in model_input["text"]]
        if self._engine.card.is_pair:
            pairs = (str(text) for text in model_input["text_pair"])
            texts = [(str(first), second) for first, second in zip(texts, pairs, strict=True)]
        return pd.DataFrame({"score": self._engine.predict(texts)[:, 0].astype(float)})


set_model(TextScorer())
