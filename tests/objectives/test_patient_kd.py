"""Patient KD against a loop, and soft targets on their own."""

from dataclasses import replace
from math import log, sqrt

import pytest
import torch

from distillery.nouns import Architecture
from distillery.objectives.base import UNLABELLED, Batch, Outputs
from distillery.objectives.patient_kd import PatientKd
from distillery.objectives.soft_targets import SoftTargets
from distillery.objectives.temperature import LinearTemperature

_B, _S, _H, _C = 4, 3, 5, 3


def _outputs(layers: int, seed: int) -> Outputs:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return 2 * torch.randn(shape, generator=generator, dtype=torch.float64)

    return Outputs(
        logits=random(_B, _C),
        hidden_states=tuple(random(_B, _S, _H) for _ in range(layers + 1)),
    )


def _batch() -> Batch:
    return Batch(
        student=_outputs(3, 1),
        teacher=_outputs(6, 2),
        labels=torch.tensor([0, UNLABELLED, 2, 1]),
    )


def _unit(vector: list[float]) -> list[float]:
    norm = sqrt(sum(x * x for x in vector))
    return [x / norm for x in vector]


@pytest.mark.parametrize(
    ("mapping", "pairs"), [("skip", ((1, 2), (2, 4))), ("last", ((1, 4), (2, 5)))]
)
def test_patience_by_loops(mapping: str, pairs: tuple[tuple[int, int], ...]) -> None:
    batch = _batch()
    assert batch.teacher is not None
    squares, count = 0.0, 0
    for own, its in pairs:
        for b in range(_B):
            s = _unit(batch.student.hidden_states[own][b, 0].tolist())
            t = _unit(batch.teacher.hidden_states[its][b, 0].tolist())
            squares += sum((x - y) ** 2 for x, y in zip(s, t, strict=True))
            count += _H
    settings = {"mapping": mapping, "weight_patience": 7, "weight_kd": 0}
    found = PatientKd.model_validate(settings).loss(batch).item()
    assert found == pytest.approx(7 * squares / count)


def test_a_value_worked_out_by_hand() -> None:
    # directions (1, 0) and (0, 1): squares 1 + 1, over one layer, one row, two components
    logits = torch.tensor([[log(2), 0.0]], dtype=torch.float64)
    own, its = torch.tensor([[[3.0, 0.0]]]), torch.tensor([[[0.0, 0.5]]])
    batch = Batch(
        student=Outputs(logits=logits, hidden_states=(its, own, its)),
        teacher=Outputs(logits=logits, hidden_states=(own, its, own)),
        labels=torch.tensor([0]),
    )
    assert PatientKd(weight_patience=10).loss(batch).item() == pytest.approx(10)


def test_only_directions_count_and_only_of_the_first_token() -> None:
    batch = _batch()
    scaled = tuple(3 * one for one in batch.student.hidden_states)
    for one in scaled:
        one[:, 1:] = 0
    found = PatientKd().loss(replace(batch, student=replace(batch.student, hidden_states=scaled)))
    torch.testing.assert_close(found, PatientKd().loss(batch))


def test_the_last_layer_is_left_to_the_soft_targets() -> None:
    batch = _batch()
    states = batch.student.hidden_states
    other = replace(batch.student, hidden_states=(states[0] + 1, *states[1:-1], states[-1] + 1))
    assert PatientKd().loss(replace(batch, student=other)) == PatientKd().loss(batch)
    third = replace(batch.student, hidden_states=(*states[:2], states[2] + 1, states[3]))
    assert PatientKd().loss(replace(batch, student=third)) != PatientKd().loss(batch)


@pytest.mark.parametrize("temperature", [5.0, LinearTemperature(start=20, end=5)])
def test_the_rest_is_soft_targets(temperature: float | LinearTemperature) -> None:
    batch = replace(_batch(), progress=0.5)
    whole = PatientKd(temperature=temperature, weight_kd=0.5, weight_ce=0.2).loss(batch)
    patience = PatientKd(weight_kd=0).loss(batch)
    rest = SoftTargets(temperature=temperature, weight_kd=0.5, weight_ce=0.2).loss(batch)
    torch.testing.assert_close(whole, patience + rest)


# what fits


def _architecture(layers: int, width: int) -> Architecture:
    return Architecture(layers=layers, hidden_size=width, heads=12, max_tokens=None)


def test_the_width_must_be_the_teachers() -> None:
    PatientKd().check(_architecture(6, 768), _architecture(12, 768))
    with pytest.raises(ValueError, match="take a student of the teacher's width"):
        PatientKd().check(_architecture(6, 384), _architecture(12, 768))


def test_one_layer_has_nothing_to_be_patient_with() -> None:
    with pytest.raises(ValueError, match="2 layers or more, or use soft_targets"):
        PatientKd().check(_architecture(1, 768), _architecture(12, 768))
