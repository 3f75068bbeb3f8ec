"""One bidirectional LSTM under a small head: the student of Tang et al. 2019, §3.1.2.

"Distilling Task-Specific Knowledge from BERT into Simple Neural Networks",
https://arxiv.org/abs/1903.12136: the last states of both directions, a fully connected layer with
ReLU, a linear layer. Of a pair, both texts go through the same encoder, and what is read is
[u, v, |u − v|, u ∘ v].
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

# B batch, S sequence, E embedding, H hidden, C classes


class BiLstmConfig(PretrainedConfig):
    """Sizes as in the paper: hidden 150 or 300, fully connected 200 or 400."""

    model_type = "bilstm"

    def __init__(
        self,
        vocab_size: int = 8000,
        embedding_size: int = 300,
        hidden_size: int = 150,
        fully_connected_size: int = 200,
        dropout: float = 0.1,
        pad_token_id: int = 0,
        siamese: bool = False,
        **kwargs: Any,
    ):
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.fully_connected_size = fully_connected_size
        self.dropout = dropout
        self.siamese = siamese
        kwargs["pad_token_id"] = pad_token_id
        super().__init__(**kwargs)

    @property
    def num_hidden_layers(self) -> int:
        """No transformer layer: nothing to fuse, to copy or to match."""
        return 0

    @property
    def num_attention_heads(self) -> int:
        """None."""
        return 0

    @property
    def type_vocab_size(self) -> int:
        """Token types tell the two texts of a pair apart, and mean nothing otherwise."""
        return 2 if self.siamese else 1


class BiLstm(PreTrainedModel):
    """Embeddings, an LSTM a direction, a fully connected layer, a classifier.

    Each direction is an LSTM of its own, and the backward one reads the row reversed up to its
    length, so that padding (on the right, as everywhere here) comes after all that is read. No
    packed sequences: they need the lengths on the CPU, are slow there, and are not exported. The
    exported graph has one operator for both directions (``export/bidirectional.py``).
    """

    config_class = BiLstmConfig
    _input_embed_layer = "embeddings"

    def __init__(self, config: BiLstmConfig) -> None:
        super().__init__(config)
        E, H = config.embedding_size, config.hidden_size
        self.embeddings = nn.Embedding(config.vocab_size, E, padding_idx=config.pad_token_id)
        self.forwards = nn.LSTM(E, H)
        self.backwards = nn.LSTM(E, H)
        self.dropout = nn.Dropout(config.dropout)
        parts = 4 if config.siamese else 1  # u, v, |u − v|, u ∘ v
        self.fully_connected = nn.Linear(parts * 2 * H, config.fully_connected_size)
        self.classifier = nn.Linear(config.fully_connected_size, config.num_labels or 0)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> SequenceClassifierOutput:
        """Inputs (B, S), padded on the right; logits (B, C).

        A pair is one row: [CLS] a [SEP] b [SEP], with token types 0 and 1.
        """
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        if not self.config.siamese:
            read = self._encode(input_ids, attention_mask.sum(1))  # (B, 2H)
        else:
            if token_type_ids is None:
                raise ValueError("pairs need token_type_ids, which tell where the second begins")
            u, v = self._encode(*self._texts(input_ids, attention_mask, token_type_ids)).chunk(2)
            read = torch.cat([u, v, (u - v).abs(), u * v], dim=-1)  # (B, 8H)
        hidden = torch.relu(self.fully_connected(self.dropout(read)))
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(hidden)))

    def _texts(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """The first texts of all pairs, then the second ones: (2B, S'), and lengths (2B,).

        Both without [CLS], so that equal texts are encoded equally. A text of no token is read as
        one padding token, in any batch.
        """
        second = (mask * types).sum(1)  # (B,)
        first = mask.sum(1) - second
        starts = torch.cat([torch.ones_like(first), first])
        lengths = torch.cat([first - 1, second])
        longest: Any = lengths.max().clamp(min=1)  # a tensor, for the trace to depend on it
        steps = torch.arange(longest, device=ids.device)  # (S',)
        places = (starts.unsqueeze(1) + steps).clamp(max=ids.shape[1] - 1)  # (2B, S')
        texts = torch.cat([ids, ids]).gather(1, places)
        inside = steps < lengths.unsqueeze(1)
        return texts.where(inside, self.config.pad_token_id), lengths

    def _encode(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """The last state of each direction: (B, S), (B,) → (B, 2H)."""
        last = (lengths - 1).clamp(min=0)  # (B,)
        steps = torch.arange(ids.shape[1], device=ids.device)
        reversed_ids = ids.gather(1, (last.unsqueeze(1) - steps).clamp(min=0))
        ends_at = last.view(1, -1, 1).expand(1, -1, self.config.hidden_size)  # (1, B, H)
        ends: list[Tensor] = []
        for lstm, read in ((self.forwards, ids), (self.backwards, reversed_ids)):
            states, _ = lstm(self.dropout(self.embeddings(read.T)))  # (S, B, H)
            ends.append(states.gather(0, ends_at)[0])
        return torch.cat(ends, dim=-1)

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own, which suit an LSTM; Transformers' are for deep transformers."""
        if isinstance(module, nn.Linear | nn.LSTM | nn.Embedding):
            module.reset_parameters()


AutoConfig.register(BiLstmConfig.model_type, BiLstmConfig)
AutoModelForSequenceClassification.register(BiLstmConfig, BiLstm)
