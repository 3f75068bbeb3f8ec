"""What temperature and the weights do to one student (Hinton et al. 2015, §2).

The loss is w · CE(s, y) + (1 - w) · T² · KL(softmax(t/T) ‖ softmax(s/T)), w the hard labels' share.
T² keeps the size of its gradient. As T grows, the second term tends to half the mean over classes
of (s - t)², both less their row's mean (§2.1; the paper has 1/N in the gradient, N classes, and no
T² in the loss): matching logits, without a temperature. That limit is trained beside the variants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import Field, field_validator

from distillery.noun import Noun
from distillery.objectives.base import Objective
from distillery.objectives.logit_mse import LogitMse
from distillery.objectives.soft_targets import SoftTargets
from distillery.students.base import Student

AStudent = TypeVar("AStudent", bound=Student)


@dataclass(frozen=True, kw_only=True)
class Variant(Generic[AStudent]):
    """The studied student with other temperatures and weights."""

    student: AStudent
    share_ce: float
    temperature: float | None  # None: logit matching, the limit of large ones


class TemperatureStudy(Noun):
    """Which temperatures and weights to try on one student, with every seed of the recipe."""

    student: str | None = Field(
        default=None,
        title="Student",
        description="Its name; the first that learns from soft_targets if left out.",
    )
    temperatures: tuple[Annotated[float, Field(gt=0, le=1000)], ...] = Field(
        default=(1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
        min_length=1,
        max_length=50,
        title="Temperatures",
    )
    shares_ce: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(
        default=(0.0, 0.5),
        min_length=1,
        max_length=20,
        title="Shares of the hard labels",
        description="Each is tried with each temperature: weight_ce is the share, weight_kd the "
        "rest.",
    )

    @field_validator("temperatures", "shares_ce")
    @classmethod
    def _stand_once(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice:g} stands there twice; leave one out")
        return values

    def chosen(self, students: Sequence[AStudent]) -> AStudent:
        """The student to study. Raises ``ValueError`` where none can be."""
        able = [one for one in students if any(_is_soft(stage) for stage in one.task)]
        names = ", ".join(one.name for one in able)
        if not able:
            raise ValueError(
                "temperature_study: no student has a soft_targets stage, so there is no "
                "temperature to study; give one such a stage"
            )
        if self.student is None:
            return able[0]
        for one in able:
            if one.name == self.student:
                return one
        why = (
            f"student '{self.student}' has no soft_targets stage"
            if self.student in (one.name for one in students)
            else f"no student '{self.student}'"
        )
        raise ValueError(f"temperature_study.student: {why}; choose one of {names}")

    def variants(self, student: AStudent) -> list[Variant[AStudent]]:
        """Each temperature with each share; then, for each share, the limit of large ones.

        All keep the student's name: the one that equals the student is the same step and is not
        trained again, and neither is the one that the recipe takes over from the study.
        """
        softened = [
            Variant(
                student=_with_stages(
                    student,
                    temperature=temperature,
                    weight_kd=_rest(share),
                    weight_ce=share,
                ),
                share_ce=share,
                temperature=temperature,
            )
            for share in self.shares_ce
            for temperature in self.temperatures
        ]
        limits = [
            Variant(student=_matching_logits(student, share), share_ce=share, temperature=None)
            for share in self.shares_ce
        ]
        return softened + limits


def _with_stages(student: AStudent, **settings: float) -> AStudent:
    """Every soft_targets stage with these settings; other stages as they are."""
    stages = (
        stage.model_copy(update=settings) if _is_soft(stage) else stage for stage in student.task
    )
    return student.model_copy(update={"task": tuple(stages)})


def _matching_logits(student: AStudent, share_ce: float) -> AStudent:
    """Every soft_targets stage as its limit, with the same training over the same rows."""
    stages = (
        LogitMse(
            # half the mean square is what T² · KL tends to
            weight_kd=_rest(share_ce) / 2,
            weight_ce=share_ce,
            centred=True,
            training=stage.training,
            rows=stage.rows,
        )
        if _is_soft(stage)
        else stage
        for stage in student.task
    )
    return student.model_copy(update={"task": tuple(stages)})


def _is_soft(stage: Objective) -> bool:
    return isinstance(stage, SoftTargets)


def _rest(share: float) -> float:
    # 1 - 0.9 is 0.09999999999999998, which would be another step than a recipe's 0.1
    return round(1 - share, 12)
