"""One forward pass, and what a loss may ask of it, of any Transformers encoder."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from distillery.objectives.base import Outputs, Signal

# the linear layers that make queries, keys and values: BERT's, RoBERTa's and ELECTRA's names, then
# DistilBERT's. Encoders that rotate positions into queries and keys are not among them.
# Transformers' own output_attentions is of no use here: it comes after the softmax, and SDPA gives
# none
_NAMES = {
    "queries": re.compile(r"(^|\.)(query|q_lin)$"),
    "keys": re.compile(r"(^|\.)(key|k_lin)$"),
    "values": re.compile(r"(^|\.)(value|v_lin)$"),
}


class Forward:
    """Runs a model; where attention is asked for, listens to its projections."""

    def __init__(self, model: PreTrainedModel, needs: frozenset[Signal]) -> None:
        self._hidden_states = "hidden_states" in needs
        self._heard: dict[str, list[Tensor]] = {name: [] for name in _NAMES}
        if "attention" not in needs:
            return
        heads = model.config.num_attention_heads
        if not any(_NAMES["queries"].search(name) for name, _ in model.named_modules()):
            raise ValueError(
                f"the attention of a {model.config.model_type} cannot be compared; use an encoder "
                "of BERT's kind"
            )
        for kind, pattern in _NAMES.items():
            for name, module in model.named_modules():  # in the order of the layers
                if pattern.search(name) and isinstance(module, nn.Linear):
                    module.register_forward_hook(self._listener(kind, heads))

    def __call__(self, model: nn.Module, inputs: Mapping[str, Tensor]) -> Outputs:
        """``model`` is the one listened to, or a wrapper around it, as for several processes."""
        for heard in self._heard.values():
            heard.clear()
        wanted = {"output_hidden_states": True} if self._hidden_states else {}
        found = model(**inputs, **wanted)
        return Outputs(
            logits=found.logits,
            exits=tuple(getattr(found, "exits", ())),
            paths=getattr(found, "paths", None),
            leaves=getattr(found, "leaves", None),
            hidden_states=tuple(found.hidden_states) if self._hidden_states else (),
            queries=tuple(self._heard["queries"]),
            keys=tuple(self._heard["keys"]),
            values=tuple(self._heard["values"]),
        )

    def _listener(self, kind: str, heads: int) -> Any:
        def listen(module: nn.Module, inputs: Any, projected: Tensor) -> None:
            B, S, H = projected.shape
            self._heard[kind].append(projected.view(B, S, heads, H // heads).transpose(1, 2))

        return listen
