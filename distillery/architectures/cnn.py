"""A small convolutional network: blocks that halve the image, one hidden layer, a classifier."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.modeling_outputs import SequenceClassifierOutput

from distillery.architectures.pixels import ImageConfig, ImageModel, Normalized

# B batch, C channels, H height, W width


class CnnConfig(ImageConfig):
    """Channels of each block, and the hidden layer's width."""

    model_type = "distillery_cnn"

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128),
        hidden_size: int = 512,
        dropout: float = 0.3,
        **kwargs: Any,
    ):
        self.channels = list(channels)
        self.hidden_size = hidden_size
        self.dropout = dropout
        super().__init__(**kwargs)


class Cnn(ImageModel):
    """A block: 3×3 convolution, batch norm, ReLU, 2×2 max pooling."""

    config_class: type[ImageConfig] = CnnConfig

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        H, W, C = config.image_shape
        self.normalized = Normalized(config)
        blocks = []
        for width in config.channels:
            blocks += [
                # batch norm brings the bias
                nn.Conv2d(C, width, kernel_size=3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            H, W, C = H // 2, W // 2, width
        self.blocks = nn.Sequential(*blocks)
        self.hidden = nn.Linear(H * W * C, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels or 0)
        self.post_init()

    def forward(self, pixel_values: Tensor) -> SequenceClassifierOutput:
        """Pixels uint8 (B, C, H, W); logits (B, classes)."""
        found = self.blocks(self.normalized(pixel_values)).flatten(1)
        hidden = self.hidden(self.dropout(found)).relu()
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(hidden)))


AutoConfig.register(CnnConfig.model_type, CnnConfig)
AutoModelForSequenceClassification.register(CnnConfig, Cnn)
