"""Any encoder under a classification head that reads the mean of all tokens.

Sentence encoders are trained for this mean (Reimers and Gurevych 2019, "Sentence-BERT", §3), while
Transformers' own classifiers read the first token alone.
"""

import inspect
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

# what others read of a classifier's configuration and stands in its encoder's
_OF_THE_ENCODER = {
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "type_vocab_size",
    "vocab_size",
}


class PooledEncoderConfig(PretrainedConfig):
    """The encoder's configuration, and the labels."""

    model_type = "pooled_encoder"
    sub_configs: ClassVar[dict[str, Any]] = {"encoder": AutoConfig}

    def __init__(self, encoder: PretrainedConfig | dict[str, Any] | None = None, **kwargs: Any):
        if isinstance(encoder, dict):
            encoder = AutoConfig.for_model(**encoder)
        self.encoder = encoder or AutoConfig.for_model("bert")
        kwargs.setdefault("pad_token_id", self.encoder.pad_token_id)
        super().__init__(**kwargs)

    def __getattribute__(self, name: str) -> Any:
        if name in _OF_THE_ENCODER:
            return getattr(self.encoder, name)
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OF_THE_ENCODER:
            setattr(self.encoder, name, value)
        else:
            super().__setattr__(name, value)


class PooledEncoder(PreTrainedModel):
    """Encoder, mean over the real tokens, dropout, one linear layer."""

    config_class = PooledEncoderConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True

    def __init__(self, config: PooledEncoderConfig) -> None:
        super().__init__(config)
        self.encoder = AutoModel.from_config(
            config.encoder, attn_implementation=config._attn_implementation
        )
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # it reads the first token; nobody would ask it
        self._knows_types = "token_type_ids" in inspect.signature(self.encoder.forward).parameters
        self.dropout = nn.Dropout(getattr(config.encoder, "hidden_dropout_prob", 0.1))
        self.classifier = nn.Linear(config.hidden_size, config.num_labels or 0)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Inputs (B, S); logits (B, C)."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        types = {"token_type_ids": token_type_ids} if self._knows_types else {}
        outputs = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, **types, **kwargs
        )
        hidden = outputs.last_hidden_state  # (B, S, H)
        real = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (B, S, 1)
        mean = (hidden * real).sum(1) / real.sum(1)  # (B, H): no row is without a token
        return SequenceClassifierOutput(
            logits=self.classifier(self.dropout(mean)), hidden_states=outputs.hidden_states
        )


AutoConfig.register(PooledEncoderConfig.model_type, PooledEncoderConfig)
AutoModelForSequenceClassification.register(PooledEncoderConfig, PooledEncoder)
