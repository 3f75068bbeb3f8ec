"""What all image models have in common: their configuration, and how they read pixels.

Scaling and normalization stand in the model, so that uint8 pixels are all it is ever given: in
training, in the graph that is served, and by whoever asks it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

# B batch, C channels, H height, W width


class ImageConfig(PretrainedConfig):
    """Shape of the images, and mean and deviation of the training images' channels."""

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        pixel_mean: Sequence[float] = (0.0,),
        pixel_std: Sequence[float] = (1.0,),
        **kwargs: Any,
    ):
        self.image_shape = list(image_shape)  # (H, W, C)
        self.pixel_mean = list(pixel_mean)  # of pixels in [0, 1], a number a channel
        self.pixel_std = list(pixel_std)
        super().__init__(**kwargs)

    @property
    def num_hidden_layers(self) -> int:
        """No transformer layer: nothing to fuse, to copy or to match."""
        return 0

    @property
    def num_attention_heads(self) -> int:
        """None."""
        return 0


class ImageModel(PreTrainedModel):
    """Reads ``pixel_values``. Known to the Auto class that all classifiers here are opened by."""

    config_class: type[ImageConfig] = ImageConfig
    main_input_name = "pixel_values"

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own; Transformers' are for deep transformers."""
        if isinstance(module, nn.Linear | nn.Conv2d | nn.BatchNorm2d):
            module.reset_parameters()


class Normalized(nn.Module):
    """uint8 (B, C, H, W) → float32 of mean 0 and deviation 1 over the training images."""

    scale: Tensor  # (C, 1, 1)
    offset: Tensor

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        mean, std = torch.tensor(config.pixel_mean), torch.tensor(config.pixel_std)
        self.register_buffer("scale", (1 / (255 * std)).view(-1, 1, 1))
        self.register_buffer("offset", (-mean / std).view(-1, 1, 1))

    def forward(self, pixel_values: Tensor) -> Tensor:
        """x / 255, minus the mean, by the deviation: one product and one sum."""
        return pixel_values.float() * self.scale + self.offset
