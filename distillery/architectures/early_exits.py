"""One encoder with a classifier after several of its layers (Zhang et al. 2019).

"Be Your Own Teacher", https://arxiv.org/abs/1905.08094. Each exit is ``PooledEncoder``'s head: the
mean over the real tokens and one linear layer, where the paper has bottleneck convolutions before
it. So what is cut after an exit is a whole ``PooledEncoder``. BERT's own head would need a pooler
an exit, and only the last layer's comes with any training.
"""

import inspect
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from distillery.architectures.pooled_encoder import PooledEncoder, PooledEncoderConfig

# B batch, S sequence, H hidden, C classes


class EarlyExitsConfig(PooledEncoderConfig):
    """``exits``: the layers, counted from 1, that a classifier follows; the last one is among them.

    ``keep``: the one of them whose answers are the model's.
    """

    model_type = "early_exits"

    def __init__(self, exits: Sequence[int] = (), keep: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.exits = sorted({*exits, self.num_hidden_layers})
        self.keep = self.exits[0] if keep is None else keep


@dataclass
class EarlyExitsOutput(SequenceClassifierOutput):
    """``logits`` are the kept exit's; ``exits`` are all exits', the deepest last."""

    exits: tuple[Tensor, ...] | None = None


class EarlyExits(PreTrainedModel):
    """Encoder; after each chosen layer the mean over the real tokens, dropout, one linear layer."""

    config_class = EarlyExitsConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True

    def __init__(self, config: EarlyExitsConfig) -> None:
        super().__init__(config)
        self.encoder = AutoModel.from_config(
            config.encoder, attn_implementation=config._attn_implementation
        )
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # it reads the first token; nobody would ask it
        self._knows_types = "token_type_ids" in inspect.signature(self.encoder.forward).parameters
        self.dropout = nn.Dropout(getattr(config.encoder, "hidden_dropout_prob", 0.1))
        self.classifiers = nn.ModuleList(
            nn.Linear(config.hidden_size, config.num_labels or 0) for _ in config.exits
        )
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        output_hidden_states: bool = False,
        **kwargs: Any,
    ) -> EarlyExitsOutput:
        """Inputs (B, S); logits (B, C), one more of them an exit."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        types = {"token_type_ids": token_type_ids} if self._knows_types else {}
        hidden_states = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            output_hidden_states=True,
            **types,
            **kwargs,
        ).hidden_states  # L + 1 of (B, S, H): the embeddings first
        exits = []
        for layer, classifier in zip(self.config.exits, self.classifiers, strict=True):
            hidden = hidden_states[layer]
            real = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (B, S, 1)
            mean = (hidden * real).sum(1) / real.sum(1)  # (B, H): no row is without a token
            exits.append(classifier(self.dropout(mean)))
        return EarlyExitsOutput(
            logits=exits[self.config.exits.index(self.config.keep)],
            hidden_states=hidden_states if output_hidden_states else None,
            exits=tuple(exits),
        )

    def cut(self) -> PooledEncoder:
        """A copy of the network up to the kept exit, in eval mode."""
        encoder = deepcopy(self.config.encoder)
        encoder.num_hidden_layers = self.config.keep
        cut = PooledEncoder(
            PooledEncoderConfig(
                encoder=encoder,
                num_labels=self.config.num_labels,
                id2label=self.config.id2label,
                label2id=self.config.label2id,
            )
        )
        whole = self.encoder.state_dict()
        cut.encoder.load_state_dict({name: whole[name] for name in cut.encoder.state_dict()})
        kept = self.classifiers[self.config.exits.index(self.config.keep)]
        cut.classifier.load_state_dict(kept.state_dict())
        cut.eval()
        return cut


AutoConfig.register(EarlyExitsConfig.model_type, EarlyExitsConfig)
AutoModelForSequenceClassification.register(EarlyExitsConfig, EarlyExits)
