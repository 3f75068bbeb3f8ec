"""The registered model of images: image in, labels and probabilities out."""

import base64
import binascii
from collections.abc import Sequence

import numpy as np
import pandas as pd
from mlflow.models import set_model
from numpy.typing import NDArray

from distillery.runtimes.base import Example
from distillery.runtimes.images import Image, decoded
from distillery.serving.base import Served


class ImageClassifier(Served):
    """Column ``image``: a PNG or JPEG file in base64, or its pixels as nested lists, 0 to 255."""

    def examples(self, model_input: pd.DataFrame) -> Sequence[Example]:
        """Raises ``ValueError`` for what is no image."""
        return [_image(one) for one in model_input["image"]]

    def answers(self, logits: NDArray[np.float32]) -> pd.DataFrame:
        """``label``, its ``probability``, and the ``probabilities`` of all labels."""
        return self.labels(logits)


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
