"""Soft targets against hand-worked values, PyTorch's own KL, and Hinton's limits."""

from math import log

import pytest
import torch
from pydantic import ValidationError
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.hard_labels import HardLabels
from distillery.objectives.soft_targets import SoftTargets
from distillery.objectives.temperature import LinearTemperature


def _loss(
    objective: SoftTargets | HardLabels,
    student: torch.Tensor,
    teacher: torch.Tensor,
    labels: torch.Tensor | None = None,
    progress: float = 1.0,
) -> torch.Tensor:
    return objective.loss(
        Batch(
            student=Outputs(logits=student),
            teacher=Outputs(logits=teacher),
            labels=torch.zeros(len(student), dtype=torch.long) if labels is None else labels,
            progress=progress,
        )
    )


def _gradient(objective: SoftTargets, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    leaf = student.clone().requires_grad_()
    _loss(objective, leaf, teacher).backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return leaf.grad


def _logits(*shape: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(shape, generator=generator, dtype=torch.float64)


# B = 2, C = 3, T = 2. Row 1: teacher (½, ¼, ¼) against a third each, KL = ½ ln 1.5 + ½ ln .75
# = ½ ln 1.125. Row 2: equal, KL = 0. Mean ¼ ln 1.125, times T² = 4.
_STUDENT = torch.tensor([[0, 0, 0], [2 * log(2), 0, 0]], dtype=torch.float64)
_TEACHER = torch.tensor([[2 * log(2), 0, 0], [2 * log(2), 0, 0]], dtype=torch.float64)


def test_a_value_worked_out_by_hand() -> None:
    objective = SoftTargets(temperature=2, weight_kd=1, weight_ce=0)
    assert _loss(objective, _STUDENT, _TEACHER).item() == pytest.approx(log(1.125))


def test_the_two_weights_by_hand() -> None:
    # CE of label 0 in row 1: ln 3; of label 2 in row 2, softmax (4, 1, 1) / 6: ln 6
    objective = SoftTargets(temperature=2, weight_kd=0.5, weight_ce=0.25)
    expected = 0.5 * log(1.125) + 0.25 * (log(3) + log(6)) / 2
    found = _loss(objective, _STUDENT, _TEACHER, torch.tensor([0, 2]))
    assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 7.0, 20.0])
def test_it_is_pytorchs_batchmean_kl_times_t_squared(temperature: float) -> None:
    student, teacher = _logits(5, 151, seed=1, scale=3), _logits(5, 151, seed=2, scale=3)
    expected = temperature**2 * kl_div(
        log_softmax(student / temperature, -1),
        softmax(teacher / temperature, -1),
        reduction="batchmean",
    )
    found = _loss(SoftTargets(temperature=temperature), student, teacher)
    torch.testing.assert_close(found, expected)


def test_it_is_zero_at_identity_and_for_shifted_logits() -> None:
    logits = _logits(4, 7, seed=3, scale=5)
    assert _loss(SoftTargets(temperature=3), logits, logits).item() == pytest.approx(0, abs=1e-12)
    shifted = _loss(SoftTargets(temperature=3), logits, logits + 11)
    assert shifted.item() == pytest.approx(0, abs=1e-12)


def test_the_direction_is_teacher_to_student() -> None:
    """KL(t ‖ s): a student that rules out what the teacher allows pays more than the reverse."""
    sure, open_minded = torch.tensor([[8.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    objective = SoftTargets(temperature=1)
    assert _loss(objective, sure, open_minded) > 3 * _loss(objective, open_minded, sure)


def test_t_squared_keeps_the_gradient_as_temperature_grows() -> None:
    student, teacher = _logits(16, 10, seed=4), _logits(16, 10, seed=5)
    at_4 = _gradient(SoftTargets(temperature=4), student, teacher).norm()
    at_8 = _gradient(SoftTargets(temperature=8), student, teacher).norm()
    # without T² this ratio would be 4
    assert (at_4 / at_8).item() == pytest.approx(1, abs=0.1)


def test_small_logits_have_the_same_gradient_at_every_temperature() -> None:
    """Where logits are small beside T, T² · KL no longer depends on T."""
    student, teacher = _logits(8, 10, seed=4, scale=0.05), _logits(8, 10, seed=5, scale=0.05)
    at_1, at_4, at_16 = (
        _gradient(SoftTargets(temperature=t), student, teacher).norm().item() for t in (1, 4, 16)
    )
    # without T² they would be 1/16 and 1/256 of the first
    assert at_4 == pytest.approx(at_1, rel=0.05)
    assert at_16 == pytest.approx(at_1, rel=0.05)


def test_at_high_temperature_it_matches_centred_logits() -> None:
    """Hinton et al. §2.1: the gradient tends to (z - v) / N for logits centred per row."""
    student, teacher = _logits(6, 9, seed=6), _logits(6, 9, seed=7)
    centred = (student - student.mean(-1, keepdim=True)) - (
        teacher - teacher.mean(-1, keepdim=True)
    )
    found = _gradient(SoftTargets(temperature=1000), student, teacher)
    torch.testing.assert_close(found, centred / (9 * 6), atol=1e-3 / 54, rtol=1e-2)
    loss = _loss(SoftTargets(temperature=1000), student, teacher)
    assert loss.item() == pytest.approx(centred.square().mean().item() / 2, rel=1e-2)


def test_large_logits_stay_finite() -> None:
    student = torch.tensor([[300.0, -300.0, 0.0]], requires_grad=True)
    loss = _loss(SoftTargets(temperature=1, weight_ce=1), student, -student.detach())
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_without_a_teacher_it_refuses() -> None:
    with pytest.raises(ValueError, match="need a teacher's logits"):
        SoftTargets().loss(
            Batch(student=Outputs(logits=_STUDENT), teacher=None, labels=torch.tensor([0, 1]))
        )


def test_hard_labels_are_pytorchs_cross_entropy() -> None:
    student, labels = _logits(8, 5, seed=8, scale=4), torch.arange(8) % 5
    found = HardLabels().loss(Batch(student=Outputs(logits=student), teacher=None, labels=labels))
    torch.testing.assert_close(found, cross_entropy(student, labels))


def test_hard_labels_ignore_a_teacher() -> None:
    student, teacher = _logits(8, 5, seed=8), _logits(8, 5, seed=9)
    with_teacher = _loss(HardLabels(), student, teacher)
    without = HardLabels().loss(
        Batch(
            student=Outputs(logits=student), teacher=None, labels=torch.zeros(8, dtype=torch.long)
        )
    )
    assert with_teacher == without


def test_a_row_without_a_label_counts_for_kd_alone() -> None:
    # as in the two weights by hand, but only row 1 has a label: CE ln 3, of one row
    objective = SoftTargets(temperature=2, weight_kd=0.5, weight_ce=0.25)
    found = _loss(objective, _STUDENT, _TEACHER, torch.tensor([0, UNLABELLED]))
    assert found.item() == pytest.approx(0.5 * log(1.125) + 0.25 * log(3))
    none = _loss(objective, _STUDENT, _TEACHER, torch.tensor([UNLABELLED, UNLABELLED]))
    assert none.item() == pytest.approx(0.5 * log(1.125))


def test_several_teachers_teach_their_mean() -> None:
    """Softened first, averaged then: the mean of (½, ¼, ¼) and (¼, ½, ¼) at T=2."""
    first, second = torch.tensor([[2 * log(2), 0, 0]]), torch.tensor([[0, 2 * log(2), 0]])
    teacher = Outputs(logits=first, members=(first, second), weights=(0.5, 0.5))
    found = SoftTargets(temperature=2).loss(
        Batch(student=Outputs(logits=torch.zeros(1, 3)), teacher=teacher, labels=torch.tensor([0]))
    )
    divergence = 2 * 0.375 * log(3 * 0.375) + 0.25 * log(3 * 0.25)
    assert found.item() == pytest.approx(4 * divergence, rel=1e-4)


# temperatures that move


@pytest.mark.parametrize(("progress", "temperature"), [(0, 8.0), (0.25, 6.5), (0.5, 5.0), (1, 2.0)])
def test_a_moving_temperature_is_the_constant_one_of_its_moment(
    progress: float, temperature: float
) -> None:
    student, teacher = _logits(4, 6, seed=1, scale=3), _logits(4, 6, seed=2, scale=3)
    moving = SoftTargets(temperature=LinearTemperature(start=8, end=2))
    found = _loss(moving, student, teacher, progress=progress)
    torch.testing.assert_close(found, _loss(SoftTargets(temperature=temperature), student, teacher))


def test_a_constant_temperature_stays() -> None:
    student, teacher = _logits(4, 6, seed=1, scale=3), _logits(4, 6, seed=2, scale=3)
    early = _loss(SoftTargets(temperature=4), student, teacher, progress=0)
    assert early == _loss(SoftTargets(temperature=4), student, teacher, progress=1)


def test_a_moving_temperature_survives_json() -> None:
    moving = SoftTargets.model_validate({"temperature": {"start": 8, "end": 1}})
    assert moving.temperature == LinearTemperature(start=8, end=1)
    assert SoftTargets.model_validate_json(moving.model_dump_json()) == moving


@pytest.mark.parametrize(
    ("temperature", "location", "message"),
    [
        (0, (), "greater than 0"),
        ("hot", (), "valid number"),
        ({"start": 0, "end": 1}, ("start",), "greater than 0"),
        ({"start": 2}, ("end",), "Field required"),
        ({"start": 2, "end": 1, "stop": 1}, ("stop",), "not permitted"),
    ],
)
def test_a_bad_temperature_is_told_once_and_where(
    temperature: object, location: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        SoftTargets.model_validate({"temperature": temperature})
    (problem,) = refused.value.errors()
    assert problem["loc"] == ("temperature", *location)
    assert message in problem["msg"]
