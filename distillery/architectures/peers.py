"""Several networks side by side, trained together (Zhang et al. 2018, arXiv:1706.00384)."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from distillery.architectures.pooled_encoder import PooledEncoder, PooledEncoderConfig

# B batch, S sequence, C classes


class PeersConfig(PooledEncoderConfig):
    """``depths``: how many layers each peer has; for the rest they are alike."""

    model_type = "peers"

    def __init__(self, depths: Sequence[int] = (), **kwargs: Any):
        super().__init__(**kwargs)
        self.depths = list(depths) or [self.encoder.num_hidden_layers]
        self.encoder.num_hidden_layers = self.depths[0]

    def of_peer(self, number: int) -> PooledEncoderConfig:
        """One peer's own."""
        encoder = deepcopy(self.encoder)
        encoder.num_hidden_layers = self.depths[number]
        return PooledEncoderConfig(
            encoder=encoder,
            num_labels=self.num_labels,
            id2label=self.id2label,
            label2id=self.label2id,
        )


@dataclass
class PeersOutput(SequenceClassifierOutput):
    """``logits`` are the first peer's, ``exits`` all peers'."""

    exits: tuple[Tensor, ...] | None = None


class Peers(PreTrainedModel):
    """Each peer reads the same inputs; no weight is shared."""

    config_class = PeersConfig
    _supports_sdpa = True

    def __init__(self, config: PeersConfig) -> None:
        super().__init__(config)
        self.peers = nn.ModuleList(
            PooledEncoder(config.of_peer(number)) for number in range(len(config.depths))
        )
        self.post_init()

    def forward(self, input_ids: Tensor, **inputs: Any) -> PeersOutput:
        """Inputs (B, S), as of each peer; logits (B, C) of each."""
        outputs = [peer(input_ids, **inputs) for peer in self.peers]
        return PeersOutput(
            logits=outputs[0].logits,
            hidden_states=outputs[0].hidden_states,
            exits=tuple(output.logits for output in outputs),
        )


AutoConfig.register(PeersConfig.model_type, PeersConfig)
AutoModelForSequenceClassification.register(PeersConfig, Peers)
