"""A multi-layer perceptron over all pixels of an image."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.modeling_outputs import SequenceClassifierOutput

from distillery.architectures.pixels import ImageConfig, ImageModel, Normalized

# B batch, C channels, H height, W width


class MlpConfig(ImageConfig):
    """Widths of the hidden layers."""

    model_type = "distillery_mlp"

    def __init__(
        self, hidden_sizes: Sequence[int] = (512, 256), dropout: float = 0.2, **kwargs: Any
    ):
        self.hidden_sizes = list(hidden_sizes)
        self.dropout = dropout
        super().__init__(**kwargs)

    @property
    def hidden_size(self) -> int:
        """Of the last one."""
        return self.hidden_sizes[-1]


class Mlp(ImageModel):
    """Linear, ReLU, dropout, as often as there are hidden layers; then a classifier."""

    config_class: type[ImageConfig] = MlpConfig

    def __init__(self, config: MlpConfig) -> None:
        super().__init__(config)
        H, W, C = config.image_shape
        self.normalized = Normalized(config)
        layers: list[nn.Module] = []
        width = H * W * C
        for hidden in config.hidden_sizes:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(config.dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, config.num_labels or 0)
        self.post_init()

    def forward(self, pixel_values: Tensor) -> SequenceClassifierOutput:
        """Pixels uint8 (B, C, H, W); logits (B, classes)."""
        hidden = self.layers(self.normalized(pixel_values).flatten(1))
        return SequenceClassifierOutput(logits=self.classifier(hidden))


AutoConfig.register(MlpConfig.model_type, MlpConfig)
AutoModelForSequenceClassification.register(MlpConfig, Mlp)
