"""A small convolutional network, trained from nothing on the data set's images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from distillery.errors import UserError
from distillery.nouns import Architecture
from distillery.objectives.base import Training
from distillery.objectives.hard_labels import HardLabels
from distillery.teachers.base import ImageTeacher, LoadedModel

if TYPE_CHECKING:
    from distillery.architectures.cnn import CnnConfig
    from distillery.runtimes.images import Image

_STATISTICS_ROWS = 10_000


class CnnTeacher(ImageTeacher):
    """Blocks of convolution, batch norm, ReLU and pooling; each halves height and width."""

    kind: Literal["cnn"] = "cnn"
    channels: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        default=(32, 64, 128),
        min_length=1,
        max_length=8,
        title="Channels",
        description="Of each block; a block halves the image.",
    )
    hidden_size: int = Field(default=512, ge=1, le=65536, title="Hidden layer")
    dropout: float = Field(default=0.3, ge=0, lt=1, title="Dropout")
    training: Training = Field(
        default=Training(learning_rate=2e-3, epochs=8, batch_size=128), title="Training"
    )

    @property
    def fine_tuning(self) -> HardLabels:
        """Hard labels, as the recipe says."""
        return HardLabels(training=self.training)

    def architecture(self) -> Architecture:
        """No transformer layers."""
        return Architecture(layers=0, hidden_size=0, heads=0, max_tokens=None)

    def config(self) -> "CnnConfig":
        """In the size asked for; the images' shape is the data set's."""
        from distillery.architectures.cnn import CnnConfig

        return CnnConfig(channels=self.channels, hidden_size=self.hidden_size, dropout=self.dropout)

    def check(self, label_names: Sequence[str]) -> None:
        """Nothing to match: it is made for the data set."""

    def check_shape(self, image_shape: tuple[int, int, int]) -> None:
        """Raises ``UserError`` where the images are too small for so many blocks."""
        H, W, _ = image_shape
        least = 2 ** len(self.channels)
        if min(H, W) < least:
            raise UserError(
                f"teacher: {len(self.channels)} blocks halve an image of {W}×{H} pixels to "
                f"nothing; give at most {min(H, W).bit_length() - 1} numbers in teacher.channels"
            )

    def build(self, *, images: "Sequence[Image]", label_names: Sequence[str]) -> LoadedModel:
        """Random weights; pixels are normalized by the training images' mean and deviation."""
        import numpy as np

        from distillery.architectures.cnn import Cnn
        from distillery.runtimes.images import stacked

        self.check_shape(images[0].shape)
        step = -(-len(images) // _STATISTICS_ROWS)  # evenly spaced: data sets are often sorted
        pixels = stacked(images[::step]).astype(np.float32) / 255  # (N, H, W, C)
        config = self.config()
        config.image_shape = list(images[0].shape)
        config.pixel_mean = [float(mean) for mean in pixels.mean((0, 1, 2), dtype=np.float64)]
        # a channel that never changes tells nothing, whatever it is divided by
        config.pixel_std = [float(std) or 1.0 for std in pixels.std((0, 1, 2), dtype=np.float64)]
        config.num_labels = len(label_names)
        config.id2label = dict(enumerate(label_names))
        config.label2id = {name: i for i, name in enumerate(label_names)}
        return LoadedModel(model=Cnn(config), tokenizer=None)
