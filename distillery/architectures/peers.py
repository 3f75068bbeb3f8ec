"""Several networks side by side, trained together (Zhang et al. 2018, arXiv:1706.00384)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

# B batch, C classes


class PeersConfig(PretrainedConfig):
    """``peers``: each one's own configuration, as Transformers saves it; their labels are alike."""

    model_type = "peers"

    def __init__(self, peers: Sequence[dict[str, Any]] = (), **kwargs: Any):
        self.peers = list(peers)
        for first in self.each[:1]:
            kwargs |= {"id2label": first.id2label, "label2id": first.label2id}
        super().__init__(**kwargs)

    @property
    def each(self) -> list[PretrainedConfig]:
        """The peers' own, anew."""
        return [AutoConfig.for_model(**peer) for peer in self.peers]


@dataclass
class PeersOutput(SequenceClassifierOutput):
    """``logits`` are the first peer's, ``exits`` all peers'."""

    exits: tuple[Tensor, ...] | None = None


class Peers(PreTrainedModel):
    """Classifiers that read the same inputs; no weight is shared."""

    config_class = PeersConfig
    _supports_sdpa = True

    def __init__(self, config: PeersConfig) -> None:
        super().__init__(config)
        self.peers = nn.ModuleList(
            AutoModelForSequenceClassification.from_config(peer) for peer in config.each
        )
        first: Any = self.peers[0]
        self.main_input_name = first.main_input_name
        self.post_init()

    def forward(self, **inputs: Any) -> PeersOutput:
        """What each peer reads, by name; logits (B, C) of each."""
        outputs = [peer(**inputs) for peer in self.peers]
        return PeersOutput(
            logits=outputs[0].logits,
            hidden_states=outputs[0].hidden_states,
            exits=tuple(output.logits for output in outputs),
        )


AutoConfig.register(PeersConfig.model_type, PeersConfig)
AutoModelForSequenceClassification.register(PeersConfig, Peers)
