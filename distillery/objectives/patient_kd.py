"""Patient knowledge distillation (Sun et al. 2019, §3)."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from distillery.nouns import Architecture
from distillery.objectives.base import Batch, Objective, Signal
from distillery.objectives.layer_maps import layer_map, with_layers
from distillery.objectives.logits import labelled_cross_entropy, scaled_divergence
from distillery.objectives.temperature import Temperature, at

if TYPE_CHECKING:
    from torch import Tensor


class PatientKd(Objective):
    """Soft targets + weight_patience · MSE of the L2-normalized [CLS] states of mapped layers.

    All student layers but the last, which the soft targets teach. The paper's formula sums
    over layers and width; this is the mean over both and rows, as in its code, and as its β of 10
    to 1000 presupposes. [CLS] is the first position: texts are padded on the right.
    """

    needs: ClassVar[frozenset[Signal]] = frozenset({"logits", "hidden_states"})

    objective: Literal["patient_kd"] = "patient_kd"
    mapping: Literal["skip", "last"] = Field(
        default="skip",
        title="Layer mapping",
        description="Teacher layers spread evenly (2, 4, 6, 8, 10 of 12 for six layers), or the "
        "last ones before the top (7 to 11).",
    )
    weight_patience: float = Field(
        default=100.0,
        gt=0,
        le=100_000,
        title="Weight of patience",
        description="β, of the hidden states; the paper tries 10, 100, 500 and 1000.",
    )
    temperature: Temperature = Field(
        default=10.0,
        title="Temperature",
        description="Of the soft targets; the paper tries 5, 10 and 20. A start and an end make "
        "it move over the stage.",
    )
    weight_kd: float = Field(
        default=1.0, ge=0, le=1000, title="Weight of KD", description="Of the soft targets."
    )
    weight_ce: float = Field(
        default=0.0, ge=0, le=1000, title="Weight of CE", description="Of the hard labels."
    )

    def layer_map(self, student_layers: int, teacher_layers: int) -> tuple[int, ...]:
        """The teacher layer of each student layer but the last, counted from 1."""
        rule: Literal["uniform", "top"] = "uniform" if self.mapping == "skip" else "top"
        return layer_map(rule, student_layers, teacher_layers)[:-1]

    def check(self, student: Architecture | None, teacher: Architecture) -> None:
        """Two layers at least, and the teacher's width: nothing projects the states."""
        student = with_layers(student, "patient_kd")
        if not self.layer_map(student.layers, teacher.layers):
            raise ValueError(
                "patient_kd teaches all student layers but the last; give the student 2 layers or "
                "more, or use soft_targets"
            )
        if student.hidden_size != teacher.hidden_size:
            raise ValueError(
                f"patient_kd compares hidden states of one width: the student has "
                f"{student.hidden_size}, the teacher {teacher.hidden_size}; take a student of the "
                "teacher's width, or use tinybert_layers"
            )

    def loss(self, batch: Batch) -> "Tensor":
        """Soft targets and states over all rows, CE over those that have a label."""
        from torch import stack
        from torch.nn.functional import normalize

        student, teacher = batch.student, batch.teacher
        if teacher is None or not teacher.hidden_states:
            raise ValueError("patient_kd needs a teacher's logits and hidden states")
        chosen = self.layer_map(len(student.hidden_states) - 1, len(teacher.hidden_states) - 1)
        own = stack([student.hidden_states[m][:, 0] for m in range(1, len(chosen) + 1)])
        its = stack([teacher.hidden_states[n][:, 0].detach() for n in chosen])  # (L - 1, B, H)
        patience = (normalize(own, dim=-1) - normalize(its, dim=-1)).square().mean()
        loss = self.weight_patience * patience
        if self.weight_kd:
            temperature = at(self.temperature, batch.progress)
            loss = loss + self.weight_kd * scaled_divergence(student, teacher, temperature)
        if self.weight_ce:
            hard = labelled_cross_entropy(student.logits, batch.labels)
            loss = loss + self.weight_ce * batch.portion.labels * hard
        return loss
