"""The registered model of images: image in, labels and probabilities out."""

import base64
from collections.abc import Sequence

import numpy as np
import pandas as pd
from mlflow.models import set_model
from numpy.typing import NDArray

from distillery.runtimes.base import Example
from distillery.runtimes.images import Image, Shape, checked, decoded
from distillery.serving.base import Served
from distillery.serving.reading import ExampleError


class ImageClassifier(Served):
    """Column ``image``: a PNG or JPEG file in base64, or its pixels as nested lists, 0 to 255."""

    def examples(self, model_input: pd.DataFrame) -> Sequence[Example]:
        """Raises ``ExampleError`` for what is no image of the model's size."""
        shape = self._engine.card.image_shape
        images = []
        for row, value in enumerate(model_input["image"], start=1):
            try:
                images.append(_image(value, shape))
            except ValueError as error:
                raise ExampleError(row, str(error)) from error
        return images

    def answers(self, logits: NDArray[np.float32]) -> pd.DataFrame:
        """``label``, its ``probability``, and the ``probabilities`` of all labels."""
        return self.labels(logits)


def _image(value: object, shape: Shape | None) -> Image:
    if isinstance(value, str):
        try:
            data = base64.b64decode(value, validate=True)
        except ValueError as error:
            raise ValueError(f"the image is no base64: {error}") from error
        return checked(decoded(data, shape), shape)
    try:
        # an array of arrays of objects, where the rows came through Arrow or JSON
        pixels = np.array(np.asarray(value).tolist(), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("an image's pixels are nested lists of rows of equal length") from error
    if pixels.ndim < 2:
        raise ValueError("there is no image; give a file in base64, or pixels as nested lists")
    if not (pixels == np.clip(np.round(pixels), 0, 255)).all():
        raise ValueError("pixels are whole numbers from 0 to 255")
    return checked(Image(pixels.astype(np.uint8)), shape)


set_model(ImageClassifier())
