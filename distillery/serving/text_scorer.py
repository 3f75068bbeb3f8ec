"""The registered model of texts and scores: text in, a score out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from mlflow.models import set_model
from numpy.typing import NDArray

from distillery.runtimes.base import Example
from distillery.serving.base import Served


class TextScorer(Served):
    """Columns: ``text``, and ``text_pair`` where it scores pairs."""

    def examples(self, model_input: pd.DataFrame) -> Sequence[Example]:
        """Texts or pairs."""
        return self.texts(model_input)

    def answers(self, logits: NDArray[np.float32]) -> pd.DataFrame:
        """``score``, in the unit of the labels that it learned from."""
        return pd.DataFrame({"score": logits[:, 0].astype(float)})


set_model(TextScorer())
