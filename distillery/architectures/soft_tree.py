"""A soft decision tree over pixels (Frosst and Hinton 2017, arXiv:1711.09784, §2).

Each inner node i holds a filter and goes right with probability p_i = σ(β(x·w_i + b_i)); each leaf
holds one distribution over the labels, whatever the image. The logits are the log of the mixture
of all leaves' distributions, weighted by the probability of their paths: differentiable, and two
matrix products in ONNX. The paper answers with the leaf of the most probable path instead, which
reads as one explanation; a trained tree takes a path so surely that the two rarely differ.

β is one number, learned, the paper's way to keep decisions from being too soft.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.modeling_outputs import SequenceClassifierOutput

from distillery.architectures.pixels import ImageConfig, ImageModel, Normalized

# B batch, C classes, D depth, L = 2^D leaves, L − 1 inner nodes, breadth first

_LEAST_PROBABILITY = 1e-30  # of a label, so that its log is finite


class SoftTreeConfig(ImageConfig):
    """How deep it is."""

    model_type = "distillery_soft_tree"

    def __init__(self, depth: int = 8, **kwargs: Any):
        self.depth = depth
        super().__init__(**kwargs)

    @property
    def hidden_size(self) -> int:
        """None."""
        return 0


@dataclass
class SoftTreeOutput(SequenceClassifierOutput):
    """With what a tree's own loss asks for beside the logits."""

    paths: Tensor | None = None  # (B, L) log probability of each leaf's path
    leaves: Tensor | None = None  # (L, C) logits


class SoftTree(ImageModel):
    """Node i's children are 2i + 1 (left) and 2i + 2 (right); leaves are numbered from the left."""

    config_class: type[ImageConfig] = SoftTreeConfig

    def __init__(self, config: SoftTreeConfig) -> None:
        super().__init__(config)
        H, W, C = config.image_shape
        leaves = 2**config.depth
        self.normalized = Normalized(config)
        self.filters = nn.Linear(H * W * C, leaves - 1)
        self.sharpness = nn.Parameter(torch.ones(()))  # β
        self.leaves = nn.Linear(leaves, config.num_labels or 0, bias=False)  # weight (C, L)
        self.post_init()

    def forward(self, pixel_values: Tensor) -> SoftTreeOutput:
        """Pixels uint8 (B, C, H, W); logits (B, classes), the log of probabilities."""
        decisions = self.sharpness * self.filters(self.normalized(pixel_values).flatten(1))
        # log probability of going left and right at each node: (B, L − 1, 2)
        ways = torch.stack([logsigmoid(-decisions), logsigmoid(decisions)], dim=-1)
        paths = ways[:, 0]  # (B, 2)
        for level in range(1, self.config.depth):
            first = 2**level - 1
            here = ways[:, first : 2 * first + 1]  # (B, 2^level, 2)
            paths = (paths.unsqueeze(-1) + here).flatten(1)
        leaves = self.leaves.weight.T  # (L, C)
        # half precision knows no such probability
        mixture = (paths.exp() @ leaves.softmax(-1)).float()
        return SoftTreeOutput(
            logits=mixture.clamp(min=_LEAST_PROBABILITY).log(), paths=paths, leaves=leaves
        )


AutoConfig.register(SoftTreeConfig.model_type, SoftTreeConfig)
AutoModelForSequenceClassification.register(SoftTreeConfig, SoftTree)
