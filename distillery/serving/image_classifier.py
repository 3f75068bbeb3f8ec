"""The registered model (MLflow "models from code"): image in, labels and probabilities out.

Depends on onnxruntime, pillow, tokenizers, numpy and pandas only; ``distillery.runtimes`` travels
with the model. What runs here is the engine that was evaluated and benchmarked.
"""

import base64
import binascii
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from distillery.runtimes.base import softmax
from distillery.runtimes.images import Image, decoded
from distillery.runtimes.onnxruntime_cpu import OnnxRuntimeCpu


class ImageClassifier(PythonModel):
    """Column ``image``: a PNG or JPEG file in base64, or its pixels as nested lists, 0 to 255."""

    def load_context(self, context: PythonModelContext) -> None:
        """Open the graph."""
        self._engine = OnnxRuntimeCpu(Path(context.artifacts["candidate"]))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, object] | None = None,
    ) -> pd.DataFrame:
        """``label``, its ``probability``, and the ``probabilities`` of all labels, a row each.

        Raises ``ValueError`` for what is no image, or one of another size.
        """
        names = self._engine.card.label_names
        probabilities = softmax(self._engine.predict([_image(one) for one in model_input["image"]]))
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


def _image(value: object) -> Image:
    if isinstance(value, str):
        try:
            return decoded(base64.b64decode(value, validate=True))
        except binascii.Error as error:
            raise ValueError(f"the image is no base64: {error}") from error
    try:
        # an array of arrays of objects, where the rows came through Arrow or JSON
        pixels = np.array(np.asarray(value).tolist(), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("an image's pixels are nested lists of rows of equal length") from error
    if not (pixels == np.clip(np.round(pixels), 0, 255)).all():
        raise ValueError("pixels are whole numbers from 0 to 255")
    return Image(pixels.astype(np.uint8))


set_model(ImageClassifier())
