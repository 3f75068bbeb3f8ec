"""DistilBERT's triple loss on a language model (Sanh et al. 2019, §2-3)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from distillery.nouns import Architecture, LabelKind
from distillery.objectives.base import Batch, Objective, Outputs, Signal
from distillery.objectives.layer_maps import with_layers
from distillery.objectives.logits import labelled_cross_entropy, scaled_divergence
from distillery.objectives.temperature import Temperature, at

if TYPE_CHECKING:
    from torch import Tensor


class DistilBertTriple(Objective):
    """weight_kd · T² · KL + weight_mlm · CE of masked words + weight_cosine · (1 - cos(h_s, h_t)).

    KL and cosine over all tokens that are no padding, CE over those whose word is asked for: of a
    language model's logits (B, S, V), labels (B, S) and last hidden states (B, S, H). The defaults
    are those of the public training (T=2; 5, 2, 1); the paper names no weights.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset({"logits", "hidden_states"})
    learns: ClassVar[frozenset[LabelKind]] = frozenset({"class", "score"})
    selects_by: ClassVar[Literal["accuracy", "loss"]] = "loss"
    predicts: ClassVar[Literal["labels", "tokens"]] = "tokens"

    objective: Literal["distilbert_triple"] = "distilbert_triple"
    temperature: Temperature = Field(
        default=2.0,
        title="Temperature",
        description="Of the soft targets. A start and an end make it move over the stage.",
    )
    weight_kd: float = Field(
        default=5.0, ge=0, le=1000, title="Weight of KD", description="Of the soft targets."
    )
    weight_mlm: float = Field(
        default=2.0,
        ge=0,
        le=1000,
        title="Weight of MLM",
        description="Of the masked words, told by the text itself.",
    )
    weight_cosine: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        title="Weight of cosine",
        description="Of the directions of the last hidden states.",
    )

    @model_validator(mode="after")
    def _weights_say_something(self) -> "DistilBertTriple":
        if not (self.weight_kd or self.weight_cosine):
            raise ValueError(
                "weight_kd and weight_cosine are 0: nothing would be distilled; raise one of them"
            )
        return self

    def check(self, student: Architecture | None, teacher: Architecture) -> None:
        """The teacher's width: nothing projects the states."""
        student = with_layers(student, "distilbert_triple")
        if self.weight_cosine and student.hidden_size != teacher.hidden_size:
            raise ValueError(
                f"distilbert_triple compares hidden states of one width: the student has "
                f"{student.hidden_size}, the teacher {teacher.hidden_size}; take a student of the "
                "teacher's width, set weight_cosine to 0, or use minilm_relations"
            )

    def loss(self, batch: Batch) -> "Tensor":
        """Each term is a mean over the batch's tokens that it concerns."""
        from torch.nn.functional import cosine_similarity

        student, teacher = batch.student, batch.teacher
        if teacher is None or not teacher.hidden_states:
            raise ValueError("distilbert_triple needs a teacher's logits and hidden states")
        mask = batch.mask
        if mask is None:
            mask = student.logits.new_ones(student.logits.shape[:2]).bool()
        loss = mask.new_zeros((), dtype=student.logits.dtype)
        if self.weight_kd:
            # (N, V), N the tokens that are no padding
            divergence = scaled_divergence(
                Outputs(logits=student.logits[mask]),
                Outputs(logits=teacher.logits[mask]),
                at(self.temperature, batch.progress),
            )
            loss = loss + self.weight_kd * batch.portion.tokens * divergence
        if self.weight_mlm:
            masked = labelled_cross_entropy(student.logits, batch.labels)
            loss = loss + self.weight_mlm * batch.portion.labels * masked
        if self.weight_cosine:
            alike = cosine_similarity(
                student.hidden_states[-1][mask], teacher.hidden_states[-1][mask].detach(), dim=-1
            )
            loss = loss + self.weight_cosine * batch.portion.tokens * (1 - alike).mean()
        return loss
