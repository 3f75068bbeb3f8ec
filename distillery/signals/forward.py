"""One forward pass, and what a loss may ask of it, of any Transformers encoder."""

import re
from collections.abc import Iterable, Mapping
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
    """Runs a model; where attention is asked for, listens to its projections.

    All it gives is float32: under mixed precision a softmax, a KL or a square in half precision
    would lose what the loss is about.
    """

    def __init__(self, model: PreTrainedModel, needs: frozenset[Signal]) -> None:
        self._hidden_states = "hidden_states" in needs
        self._heard: dict[str, list[Tensor]] = {name: [] for name in _NAMES}
        self._speakers: list[tuple[nn.Module, Any]] = []
        self._handles: list[Any] = []
        if "attention" not in needs:
            return
        heads = model.config.num_attention_heads
        if not any(_NAMES["queries"].search(name) for name, _ in model.named_modules()):
            raise ValueError(
                f"the attention of a {model.config.model_type} cannot be compared; use an encoder "
                "of BERT's kind"
            )
        self._speakers = [
            (module, self._listener(kind, heads))
            for kind, pattern in _NAMES.items()
            for name, module in model.named_modules()  # in the order of the layers
            if pattern.search(name) and isinstance(module, nn.Linear)
        ]

    def __call__(self, model: nn.Module, inputs: Mapping[str, Tensor]) -> Outputs:
        """``model`` is the one listened to."""
        return self.outputs(model(**self.asking(inputs)))

    def asking(self, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        """What to call the model with, for ``outputs`` to find all that is needed."""
        self._stop_listening()
        for heard in self._heard.values():
            heard.clear()
        self._handles = [
            module.register_forward_hook(listener) for module, listener in self._speakers
        ]
        return {**inputs, **({"output_hidden_states": True} if self._hidden_states else {})}

    def outputs(self, found: Any) -> Outputs:
        """Of what the model returned, and what was heard meanwhile."""
        self._stop_listening()
        paths, leaves = getattr(found, "paths", None), getattr(found, "leaves", None)
        return Outputs(
            logits=found.logits.float(),
            exits=_floats(getattr(found, "exits", ())),
            paths=None if paths is None else paths.float(),
            leaves=None if leaves is None else leaves.float(),
            hidden_states=_floats(found.hidden_states if self._hidden_states else ()),
            queries=_floats(self._heard["queries"]),
            keys=_floats(self._heard["keys"]),
            values=_floats(self._heard["values"]),
        )

    def _stop_listening(self) -> None:
        """The model may be asked by others afterwards, whose tensors nobody would let go."""
        for handle in self._handles:
            handle.remove()

    def _listener(self, kind: str, heads: int) -> Any:
        def listen(module: nn.Module, inputs: Any, projected: Tensor) -> None:
            B, S, H = projected.shape
            self._heard[kind].append(projected.view(B, S, heads, H // heads).transpose(1, 2))

        return listen


def _floats(tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
    return tuple(tensor.float() for tensor in tensors)
