"""TinyBERT's layer-wise distillation (Jiao et al. 2020, §3.1, eqs. 7-9)."""

from math import sqrt
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.nouns import Architecture, LabelKind
from distillery.objectives.base import Batch, Objective, Outputs, Signal
from distillery.objectives.layer_maps import LayerMapping, layer_map, with_layers

if TYPE_CHECKING:
    from torch import Tensor, nn


class TinyBertLayers(Objective):
    """MSE(E_s·W_e, E_t) + Σ over student layers of MSE(H_s·W_h, H_t) + MSE(A_s, A_t).

    E embeddings, H hidden states, A attention scores Q·Kᵀ/√D before the softmax, of equally many
    heads. W_e and W_h are learned and have no bias, and all layers share W_h, as in the paper (its
    code has one matrix with a bias in place of both). They are learned for equal widths too, but
    then start as the identity, so that a student copied from its teacher keeps what it was given.

    The prediction layer is not trained: follow with ``soft_cross_entropy``.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset({"hidden_states", "attention"})
    learns: ClassVar[frozenset[LabelKind]] = frozenset({"class", "score"})
    selects_by: ClassVar[Literal["accuracy", "loss"]] = "loss"

    objective: Literal["tinybert_layers"] = "tinybert_layers"
    mapping: LayerMapping = Field(
        default="uniform",
        title="Layer mapping",
        description="Which teacher layer each student layer learns from: spread evenly, the top "
        "or the bottom ones, or a list with one teacher layer, counted from 1, for each.",
    )
    weight_embeddings: float = Field(
        default=1.0, ge=0, le=1000, title="Weight of embeddings", description="Of their MSE."
    )
    weight_hidden: float = Field(
        default=1.0, ge=0, le=1000, title="Weight of hidden states", description="Of their MSE."
    )
    weight_attention: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        title="Weight of attention",
        description="Of the MSE of attention scores.",
    )

    @model_validator(mode="after")
    def _weights_say_something(self) -> "TinyBertLayers":
        if not (self.weight_embeddings or self.weight_hidden or self.weight_attention):
            raise ValueError("all weights are 0: nothing would be distilled; raise one of them")
        return self

    def layer_map(self, student_layers: int, teacher_layers: int) -> tuple[int, ...]:
        """The teacher layer of each student layer, counted from 1.

        Raises ``ValueError`` where a list does not fit the two.
        """
        if isinstance(self.mapping, str):
            return layer_map(self.mapping, student_layers, teacher_layers)
        if len(self.mapping) != student_layers:
            raise ValueError(
                f"the mapping lists {len(self.mapping)} teacher layers for a student of "
                f"{student_layers}; list {student_layers}"
            )
        if max(self.mapping) > teacher_layers:
            raise ValueError(
                f"the mapping names teacher layer {max(self.mapping)}; the teacher has "
                f"{teacher_layers} layers, so choose from 1 to {teacher_layers}"
            )
        return self.mapping

    def check(self, student: Architecture | None, teacher: Architecture) -> None:
        """Layers can be mapped; scores are compared head by head."""
        student = with_layers(student, "tinybert_layers")
        self.layer_map(student.layers, teacher.layers)
        if self.weight_attention and student.heads != teacher.heads:
            raise ValueError(
                f"tinybert_layers compares attention head by head: the student has "
                f"{student.heads} heads, the teacher {teacher.heads}; use minilm_relations, which "
                f"takes any number of heads, or give the student {teacher.heads}"
            )

    def projections(self, student: Architecture, teacher: Architecture) -> "nn.ModuleDict | None":
        """W_e and W_h, of those terms that weigh something."""
        from torch import nn

        made = nn.ModuleDict()
        terms = {"embeddings": self.weight_embeddings, "hidden": self.weight_hidden}
        for name, weight in terms.items():
            if weight:
                made[name] = linear = nn.Linear(
                    student.hidden_size, teacher.hidden_size, bias=False
                )
                if student.hidden_size == teacher.hidden_size:
                    nn.init.eye_(linear.weight)
        return made if len(made) else None

    def loss(self, batch: Batch) -> "Tensor":
        """Each MSE is a mean over the batch's real tokens, or pairs of them; layers add up.

        With padding in the mean, 16 tokens of 128 would weigh an eighth of what they should, and
        their attention a 64th.
        """
        student, teacher = batch.student, batch.teacher
        if teacher is None or not teacher.hidden_states:
            raise ValueError("tinybert_layers needs a teacher's hidden states and attention")
        tokens = _real_tokens(batch)  # (B, S)
        pairs = (tokens[:, :, None] & tokens[:, None, :])[:, None]  # (B, 1, S, S)
        loss = tokens.new_zeros((), dtype=student.hidden_states[0].dtype)
        if self.weight_embeddings:
            loss = loss + self.weight_embeddings * batch.portion.tokens * _masked_mse(
                _projected(batch, "embeddings", student.hidden_states[0]),
                teacher.hidden_states[0].detach(),
                tokens[:, :, None],
            )
        chosen = self.layer_map(len(student.hidden_states) - 1, len(teacher.hidden_states) - 1)
        for own, its in enumerate(chosen, start=1):
            if self.weight_hidden:
                loss = loss + self.weight_hidden * batch.portion.tokens * _masked_mse(
                    _projected(batch, "hidden", student.hidden_states[own]),
                    teacher.hidden_states[its].detach(),
                    tokens[:, :, None],
                )
            if self.weight_attention:
                loss = loss + self.weight_attention * batch.portion.pairs * _masked_mse(
                    _scores(student, own), _scores(teacher, its).detach(), pairs
                )
        return loss


def _real_tokens(batch: Batch) -> "Tensor":
    """(B, S) bool."""
    if batch.mask is not None:
        return batch.mask
    hidden = batch.student.hidden_states[0]
    return hidden.new_ones(hidden.shape[:2]).bool()


def _projected(batch: Batch, name: str, states: "Tensor") -> "Tensor":
    """(B, S, H) of the student, in the teacher's width."""
    if batch.projections is None:
        raise ValueError("tinybert_layers needs the matrices that its projections() makes")
    projected: Tensor = batch.projections.get_submodule(name)(states)
    return projected


def _scores(outputs: Outputs, layer: int) -> "Tensor":
    """Q·Kᵀ/√D of a layer, counted from 1: (B, A, S, S)."""
    queries, keys = outputs.queries[layer - 1], outputs.keys[layer - 1]
    return queries @ keys.transpose(-1, -2) / sqrt(queries.shape[-1])


def _masked_mse(found: "Tensor", wanted: "Tensor", real: "Tensor") -> "Tensor":
    """Mean of squares where ``real``, which has a 1 for each dimension that it spans."""
    distance = (found - wanted).masked_fill(~real, 0)
    spanned = distance.numel() // real.numel()  # the width, or the heads
    return distance.square().sum() / (real.sum() * spanned).clamp(min=1)
