"""The registered model of texts and classes: text in, labels and probabilities out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from mlflow.models import set_model
from numpy.typing import NDArray

from distillery.runtimes.base import Example
from distillery.serving.base import Served


class TextClassifier(Served):
    """Columns: ``text``, and ``text_pair`` where it classifies pairs."""

    def examples(self, model_input: pd.DataFrame) -> Sequence[Example]:
        """Texts or pairs."""
        return self.texts(model_input)

    def answers(self, logits: NDArray[np.float32]) -> pd.DataFrame:
        """``label``, its ``probability``, and the ``probabilities`` of all labels."""
        return self.labels(logits)


set_model(TextClassifier())
