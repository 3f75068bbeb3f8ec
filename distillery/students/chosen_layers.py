"""What students that keep some layers of an encoder are made of."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from distillery.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel

    from distillery.students.base import Student


def check_range(layers: Sequence[int], depth: int, *, student: str, of: str) -> None:
    """Each chosen layer, counted from 0, is there. Raises ``UserError`` otherwise."""
    outside = [layer for layer in layers if not 0 <= layer < depth]
    if outside:
        raise UserError(
            f"student '{student}': layer {outside[0]} is out of range; {of} has {depth} layers, so "
            f"choose from 0 to {depth - 1}"
        )


def refuse_what_needs_one_network(student: "Student") -> None:
    """For students that are more than one network while they train, or more than is kept."""
    if student.general:
        raise ValueError(
            f"student '{student.name}' trains several networks or exits, and general stages "
            "compare the layers of one; leave general out"
        )
    if student.generations > 1:
        raise ValueError(
            f"student '{student.name}' has fewer layers when finished than those it is made from, "
            "so there can be no second generation; leave generations out"
        )


def renumbered(
    weights: "Mapping[str, Tensor]", depth: int, layers: Sequence[int]
) -> "dict[str, Tensor]":
    """The weights of an encoder of the chosen layers alone, in their new places.

    ``weights`` are the whole model's, of ``depth`` layers. What belongs to no layer stays.
    """
    prefix = _prefix(weights, depth)  # of 'encoder.layer.5.attention…' it is 'encoder.layer.'
    kept = {}
    for name, weight in weights.items():
        if not name.startswith(prefix):
            kept[name] = weight
            continue
        layer, rest = name[len(prefix) :].split(".", 1)
        for position, chosen in enumerate(layers):
            if chosen == int(layer):
                kept[f"{prefix}{position}.{rest}"] = weight
    return kept


def copy_layers(
    encoder: "PreTrainedModel", teacher: "PreTrainedModel", layers: Sequence[int]
) -> None:
    """Into an encoder of as many layers, in place, from the encoder of a classifier.

    A pooler, which mean pooling has no use for, is left behind.
    """
    theirs = renumbered(
        teacher.base_model.state_dict(), teacher.config.num_hidden_layers, tuple(layers)
    )
    own = encoder.state_dict()
    encoder.load_state_dict({name: theirs[name] for name in own}, strict=True)


def encoder_config(teacher: "PretrainedConfig", layers: int) -> "PretrainedConfig":
    """Of the teacher's bare encoder, with so many layers."""
    from distillery.architectures.pooled_encoder import PooledEncoderConfig

    config = deepcopy(teacher.encoder if isinstance(teacher, PooledEncoderConfig) else teacher)
    config.num_hidden_layers = layers
    return config


def labels_of(teacher: "PretrainedConfig") -> dict[str, Any]:
    """What makes another configuration's labels the teacher's."""
    return {
        "num_labels": teacher.num_labels,
        "id2label": teacher.id2label,
        "label2id": teacher.label2id,
    }


def _prefix(names: "Mapping[str, Tensor]", depth: int) -> str:
    """The state-dict prefix under which the encoder's layers 0 … depth-1 stand."""
    layers: dict[str, set[int]] = {}
    for name in names:
        parts = name.split(".")
        for i, part in enumerate(parts):
            if part.isdigit():
                layers.setdefault(".".join(parts[:i]) + ".", set()).add(int(part))
                break
    stacks = [prefix for prefix, numbers in layers.items() if numbers == set(range(depth))]
    if len(stacks) != 1:
        raise UserError(
            f"this encoder has {len(stacks)} stacks of {depth} layers; layers can be chosen only "
            "where there is one (BERT, RoBERTa, ELECTRA, DistilBERT)"
        )
    return stacks[0]
