"""Self-attention relations: MiniLM (Wang et al. 2020, §3) and MiniLMv2 (Wang et al. 2021, §3)."""

from math import gcd, sqrt
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.nouns import Architecture, LabelKind
from distillery.objectives.base import Batch, Objective, Outputs, Signal
from distillery.objectives.layer_maps import with_layers

if TYPE_CHECKING:
    from torch import Tensor


class MiniLmRelations(Objective):
    """Σ of KL(softmax(t·tᵀ/√D) ‖ softmax(s·sᵀ/√D)) over kinds of relations of one layer.

    v1: queries with keys, values with values, head by head, both of the last layer. v2: queries,
    keys and values each with themselves, their heads joined and split anew, so that the student's
    width and heads are free. The student's last layer learns; its head is not trained.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset({"attention"})
    learns: ClassVar[frozenset[LabelKind]] = frozenset({"class", "score"})
    selects_by: ClassVar[Literal["accuracy", "loss"]] = "loss"

    objective: Literal["minilm_relations"] = "minilm_relations"
    version: Literal["v1", "v2"] = Field(
        default="v2",
        title="Version",
        description="v1 needs as many heads as the teacher has; v2 does not.",
    )
    relation_heads: int = Field(
        default=12,
        ge=1,
        le=1024,
        title="Relation heads",
        description="Of v2: both widths must be multiples of it. The paper takes 48 for a teacher "
        "of width 768, 64 for 1024; more than there are heads tell finer.",
    )
    teacher_layer: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        title="Teacher layer",
        description="Of v2: counted from 1, the last where none is given. The paper takes 21 of a "
        "large teacher's 24.",
    )

    @model_validator(mode="after")
    def _v1_takes_the_last_layer(self) -> "MiniLmRelations":
        if self.version == "v1" and self.teacher_layer is not None:
            raise ValueError("v1 compares the last layers; leave out teacher_layer, or use v2")
        return self

    def check(self, student: Architecture | None, teacher: Architecture) -> None:
        """v1: equally many heads. v2: the relation heads divide both widths."""
        student = with_layers(student, "minilm_relations")
        if self.teacher_layer is not None and self.teacher_layer > teacher.layers:
            raise ValueError(
                f"teacher_layer is {self.teacher_layer}; the teacher has {teacher.layers} layers, "
                f"so choose from 1 to {teacher.layers}"
            )
        if self.version == "v1":
            if student.heads != teacher.heads:
                raise ValueError(
                    f"MiniLM v1 compares relations head by head: the student has {student.heads} "
                    f"heads, the teacher {teacher.heads}; use version v2"
                )
            return
        both = gcd(student.hidden_size, teacher.hidden_size)
        if both % self.relation_heads:
            nearest = max(n for n in range(1, self.relation_heads) if both % n == 0)
            raise ValueError(
                f"relation_heads is {self.relation_heads}, which does not divide the widths "
                f"{student.hidden_size} (student) and {teacher.hidden_size} (teacher); choose a "
                f"divisor of {both}, such as {nearest}"
            )

    def loss(self, batch: Batch) -> "Tensor":
        """For each sequence the mean over heads and real tokens, then the mean over sequences."""
        student, teacher = batch.student, batch.teacher
        if teacher is None or not teacher.queries:
            raise ValueError("minilm_relations needs a teacher's attention")
        its = len(teacher.queries) if self.teacher_layer is None else self.teacher_layer
        found = self._compared(student, len(student.queries))
        wanted = self._compared(teacher, its)
        mask = batch.mask
        if mask is None:
            B, _, S, _ = student.queries[-1].shape
            mask = student.queries[-1].new_ones(B, S).bool()
        loss = mask.new_zeros((), dtype=student.queries[-1].dtype)
        for (own_left, own_right), (its_left, its_right) in zip(found, wanted, strict=True):
            loss = loss + _divergence(
                _relation(own_left, own_right, mask),
                _relation(its_left.detach(), its_right.detach(), mask),
                mask,
            )
        return loss

    def _compared(self, outputs: Outputs, layer: int) -> "list[tuple[Tensor, Tensor]]":
        """What is multiplied with what, (B, R, S, D) each, of a layer counted from 1."""
        of_layer = (outputs.queries[layer - 1], outputs.keys[layer - 1], outputs.values[layer - 1])
        if self.version == "v1":
            queries, keys, values = of_layer
            return [(queries, keys), (values, values)]
        anew = [_resplit(one, self.relation_heads) for one in of_layer]
        return [(one, one) for one in anew]


def _resplit(heads: "Tensor", relation_heads: int) -> "Tensor":
    """(B, A, S, D) → (B, R, S, A·D/R): heads side by side, then split into R."""
    B, _, S, _ = heads.shape
    joined = heads.transpose(1, 2).reshape(B, S, -1)
    return joined.view(B, S, relation_heads, -1).transpose(1, 2)


def _relation(left: "Tensor", right: "Tensor", mask: "Tensor") -> "Tensor":
    """log softmax over real tokens of the scaled products: (B, R, S, S), -inf at padding."""
    products = left @ right.transpose(-1, -2) / sqrt(left.shape[-1])
    return products.masked_fill(~mask[:, None, None, :], float("-inf")).log_softmax(-1)


def _divergence(student: "Tensor", teacher: "Tensor", mask: "Tensor") -> "Tensor":
    """KL of two relations (B, R, S, S), in log probabilities, padded rows left out."""
    # at padded columns -inf - -inf is no number; they have no probability
    difference = (teacher - student).masked_fill(~mask[:, None, None, :], 0)
    divergence = (teacher.exp() * difference).sum(-1)  # (B, R, S)
    per_sequence = divergence.masked_fill(~mask[:, None, :], 0).sum((1, 2))
    return (per_sequence / (teacher.shape[1] * mask.sum(-1))).mean()
