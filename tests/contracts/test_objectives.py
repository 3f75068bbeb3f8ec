"""What holds for every loss in distillery/objectives, found by walking the folder."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import distillery.objectives
from distillery.nouns import Architecture
from distillery.objectives.base import UNLABELLED, Batch, Objective, Outputs
from distillery.training.parts import counts, weights

_B, _S, _C, _A, _D = 6, 4, 5, 4, 6
_H = _A * _D
_LENGTHS = torch.tensor([4, 3, 2, 4, 1, 3])
_STUDENT = Architecture(layers=2, hidden_size=_H, heads=_A, max_tokens=None)
_TEACHER = Architecture(layers=4, hidden_size=_H, heads=_A, max_tokens=None)


def _modules() -> list[str]:
    return [
        f"{distillery.objectives.__name__}.{module.name}"
        for module in pkgutil.iter_modules(distillery.objectives.__path__)
    ]


def _found() -> list[type[Objective]]:
    for module in _modules():
        importlib.import_module(module)
    found: list[type[Objective]] = []
    waiting: list[type[Objective]] = [Objective]  # type: ignore[type-abstract]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.__subclasses__())
        if not inspect.isabstract(one):
            found.append(one)
    return sorted(found, key=lambda one: one.__name__)


def _variants(of: type[Objective]) -> list[Any]:
    """The defaults, and each other choice of a field that is a list of words."""
    made = [pytest.param(of(), id=of.__name__)]
    for name, field in of.model_fields.items():
        if name == "rows" or get_origin(field.annotation) is not Literal:
            continue
        for choice in get_args(field.annotation):
            if choice != field.default:
                made.append(
                    pytest.param(of.model_validate({name: choice}), id=f"{of.__name__}-{choice}")
                )
    return made


OBJECTIVES = _found()
_VARIANTS = [one for of in OBJECTIVES for one in _variants(of)]
every = pytest.mark.parametrize("objective", _VARIANTS)
that_distils = pytest.mark.parametrize(
    "objective", [one for one in _VARIANTS if one.values[0].needs]
)
# a tree's loss is over its leaves, not its logits: tests/objectives/test_tree_loss.py
on_logits_alone = pytest.mark.parametrize(
    "objective",
    [
        one
        for one in _VARIANTS
        if "logits" in one.values[0].needs and type(one.values[0]).__name__ != "SoftTree"
    ],
)
that_distils_by_matching = pytest.mark.parametrize(
    "objective",
    [
        one
        for one in _VARIANTS
        if one.values[0].needs and type(one.values[0]).__name__ != "SoftTree"
    ],
)
on_labels = pytest.mark.parametrize(
    "of", [of for of in OBJECTIVES if {"weight_ce", "weight_mlm"} & set(of.model_fields)]
)


def _is_language(objective: Objective) -> bool:
    """Whether logits are (B, S, C) and labels (B, S)."""
    return objective.predicts == "tokens"


def _outputs(objective: Objective, layers: int, seed: int) -> Outputs:
    """One of each signal, all asking for gradients."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        made = 2 * torch.randn(shape, generator=generator, dtype=torch.float64)
        return made.requires_grad_()

    return Outputs(
        logits=random(_B, _S, _C) if _is_language(objective) else random(_B, _C),
        hidden_states=tuple(random(_B, _S, _H) for _ in range(layers + 1)),
        queries=tuple(random(_B, _A, _S, _D) for _ in range(layers)),
        keys=tuple(random(_B, _A, _S, _D) for _ in range(layers)),
        values=tuple(random(_B, _A, _S, _D) for _ in range(layers)),
        exits=() if _is_language(objective) else tuple(random(_B, _C) for _ in range(3)),
        paths=random(_B, 4).detach().log_softmax(-1).requires_grad_(),
        leaves=random(4, _C),
    )


def _batch(objective: Objective, *, seed: int = 0) -> Batch:
    labels = torch.arange(_B) % _C
    if _is_language(objective):
        labels = (torch.arange(_B * _S) % _C).view(_B, _S)
        labels[:, 1:] = UNLABELLED
    projections = objective.projections(_STUDENT, _TEACHER)
    return Batch(
        student=_outputs(objective, _STUDENT.layers, seed),
        teacher=_outputs(objective, _TEACHER.layers, seed + 1),
        labels=labels,
        mask=torch.arange(_S) < _LENGTHS[:, None],
        progress=0.5,
        projections=None if projections is None else projections.double(),
    )


def _each(outputs: Outputs, change: Callable[[Tensor], Tensor]) -> Outputs:
    """Every tensor changed."""
    return Outputs(
        logits=change(outputs.logits),
        hidden_states=tuple(map(change, outputs.hidden_states)),
        queries=tuple(map(change, outputs.queries)),
        keys=tuple(map(change, outputs.keys)),
        values=tuple(map(change, outputs.values)),
        exits=tuple(map(change, outputs.exits)),
        paths=None if outputs.paths is None else change(outputs.paths),
        leaves=outputs.leaves,  # the same for all rows
    )


def _tensors(outputs: Outputs) -> dict[str, tuple[Tensor, ...]]:
    """By the signal they belong to."""
    return {
        "logits": (
            outputs.logits,
            *outputs.exits,
            *(() if outputs.paths is None else (outputs.paths,)),
        ),
        "hidden_states": outputs.hidden_states,
        "attention": outputs.queries + outputs.keys + outputs.values,
    }


def _rows(batch: Batch, chosen: Tensor) -> Batch:
    assert batch.teacher is not None
    assert batch.mask is not None
    return replace(
        batch,
        student=_each(batch.student, lambda one: one[chosen]),
        teacher=_each(batch.teacher, lambda one: one[chosen]),
        labels=batch.labels[chosen],
        mask=batch.mask[chosen],
    )


def _with_teacher(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    assert batch.teacher is not None
    return replace(batch, teacher=_each(batch.teacher, change))


def _backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


def test_the_walk_finds_those_that_are_there() -> None:
    assert {
        "DistilBertTriple",
        "HardLabels",
        "LogitMse",
        "MiniLmRelations",
        "PatientKd",
        "SoftCrossEntropy",
        "SoftTargets",
        "TinyBertLayers",
    } <= {one.__name__ for one in OBJECTIVES}


# values


@every
def test_a_finite_scalar(objective: Objective) -> None:
    loss = objective.loss(_batch(objective))
    assert loss.shape == ()
    assert torch.isfinite(loss)
    assert loss > 0


@that_distils_by_matching
def test_nothing_is_better_than_to_say_what_the_teacher_says(objective: Objective) -> None:
    """No gradient there, and every other student pays more. Only an entropy may be left."""
    equal = Architecture(layers=4, hidden_size=_H, heads=_A, max_tokens=None)
    batch = _batch(objective)
    assert batch.teacher is not None
    projections = objective.projections(equal, equal)  # identities where widths are equal
    same = _each(batch.teacher, lambda one: one.detach().clone().requires_grad_())
    at_identity = replace(
        batch,
        student=same,
        labels=torch.full_like(batch.labels, UNLABELLED),
        projections=None if projections is None else projections.double(),
    )
    least = objective.loss(at_identity)
    _backward(least)
    for tensors in _tensors(same).values():
        for one in tensors:
            assert one.grad is None or one.grad.abs().max() < 1e-12
    if type(objective).__name__ != "SoftCrossEntropy":
        assert least.item() == pytest.approx(0, abs=1e-12)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        near = _each(
            same,
            lambda one, generator=generator: (  # type: ignore[misc]
                one.detach()
                + 0.1 * torch.randn(one.shape, generator=generator, dtype=torch.float64)
            ),
        )
        assert objective.loss(replace(at_identity, student=near)) > least + 1e-6


@every
def test_the_order_of_rows_does_not_matter(objective: Objective) -> None:
    batch = _batch(objective)
    torch.testing.assert_close(
        objective.loss(_rows(batch, torch.tensor([3, 0, 5, 1, 4, 2]))), objective.loss(batch)
    )


@every
def test_it_is_a_mean_over_rows(objective: Objective) -> None:
    """A batch twice over has the same loss: learning rates do not depend on the batch size."""
    batch = _batch(objective)
    torch.testing.assert_close(
        objective.loss(_rows(batch, torch.arange(2 * _B) % _B)), objective.loss(batch)
    )


@that_distils
def test_a_student_beside_another_rows_teacher_is_told(objective: Objective) -> None:
    batch = _batch(objective)
    shifted = _with_teacher(batch, lambda one: one.roll(1, 0))
    assert abs(objective.loss(shifted) - objective.loss(batch)) > 1e-6


@every
def test_the_parts_of_a_step_add_up_to_the_step(objective: Objective) -> None:
    """Whatever the parts: one holds all the labels, another other lengths, or no row at all."""
    if "weight_balance" in type(objective).model_fields:  # how a part's own rows are balanced
        objective = objective.model_copy(update={"weight_balance": 0.0})
    batch = _batch(objective)
    assert batch.mask is not None
    labels = batch.labels.clone()
    labels[:3] = UNLABELLED
    batch = replace(batch, labels=labels)
    parts = [_rows(batch, torch.tensor(chosen)) for chosen in ([0, 1], [2, 3, 4], [5])]
    counted = [counts(part.labels, part.mask) for part in parts]
    parts.append(parts[0])
    counted.append(torch.zeros_like(counted[0]))  # a stand-in
    whole = counts(batch.labels, batch.mask)
    losses = []
    for part, own in zip(parts, counted, strict=True):
        weight, portion = weights(own, whole, len(parts))
        losses.append(weight * objective.loss(replace(part, portion=portion)))
    found = torch.stack(losses).mean()
    torch.testing.assert_close(found, objective.loss(batch), rtol=1e-6, atol=1e-6)


# padding


def _appended(one: Tensor, dimension: int, value: float) -> Tensor:
    shape = list(one.shape)
    shape[dimension] = 3
    return torch.cat([one, one.new_full(shape, value)], dimension)


@every
@pytest.mark.parametrize("value", [0.0, 50.0])
def test_more_padding_changes_nothing(objective: Objective, value: float) -> None:
    batch = _batch(objective)
    assert batch.teacher is not None
    assert batch.mask is not None
    is_language = _is_language(objective)

    def longer(outputs: Outputs, value: float) -> Outputs:
        return replace(
            outputs,
            logits=_appended(outputs.logits, 1, value) if is_language else outputs.logits,
            hidden_states=tuple(_appended(one, 1, value) for one in outputs.hidden_states),
            queries=tuple(_appended(one, 2, value) for one in outputs.queries),
            keys=tuple(_appended(one, 2, -value) for one in outputs.keys),
            values=tuple(_appended(one, 2, value) for one in outputs.values),
        )

    padded = replace(
        batch,
        student=longer(batch.student, value),
        teacher=longer(batch.teacher, -value),
        labels=_appended(batch.labels, 1, UNLABELLED) if is_language else batch.labels,
        mask=_appended(batch.mask, 1, False),
    )
    torch.testing.assert_close(objective.loss(padded), objective.loss(batch))


@every
def test_what_stands_at_padding_changes_nothing_and_learns_nothing(objective: Objective) -> None:
    batch = _batch(objective)
    assert batch.mask is not None
    padded = ~batch.mask
    before = objective.loss(batch)
    _backward(before)
    for signal, tensors in _tensors(batch.student).items():
        for one in tensors:
            if one.grad is None or (signal == "logits" and not _is_language(objective)):
                continue
            by_position = one.grad.transpose(1, 2) if signal == "attention" else one.grad
            assert torch.isfinite(by_position).all()
            assert not by_position[padded].any()

    def other(outputs: Outputs) -> Outputs:
        def at_padding(one: Tensor) -> Tensor:
            if one.dim() == 2:
                return one
            spread = padded[:, :, None] if one.dim() == 3 else padded[:, None, :, None]
            return one.masked_fill(spread, 7.0)

        return _each(outputs, at_padding)

    torch.testing.assert_close(objective.loss(replace(batch, student=other(batch.student))), before)


@every
def test_no_mask_is_a_mask_of_tokens_alone(objective: Objective) -> None:
    batch = _batch(objective)
    assert batch.mask is not None
    torch.testing.assert_close(
        objective.loss(replace(batch, mask=None)),
        objective.loss(replace(batch, mask=torch.ones_like(batch.mask))),
    )


# gradients


@every
def test_gradients_reach_the_student_and_not_the_teacher(objective: Objective) -> None:
    batch = _batch(objective)
    assert batch.teacher is not None
    _backward(objective.loss(batch))
    student = _tensors(batch.student)
    for signal in objective.needs or {"logits"}:
        reached = [one.grad for one in student[signal] if one.grad is not None]
        assert reached, f"{signal} learns nothing"
        for gradient in reached:  # every row learns; a single token's attention is always on itself
            learns = gradient.flatten(1).abs().sum(-1) > 0
            assert learns[_LENGTHS > 1].all()
    for tensors in _tensors(batch.teacher).values():
        assert all(one.grad is None for one in tensors)
    if batch.projections is not None:
        assert all(one.grad is not None for one in batch.projections.parameters())


@every
def test_a_step_down_the_gradient_lowers_it(objective: Objective) -> None:
    batch = _batch(objective)
    before = objective.loss(batch)
    _backward(before)
    after = objective.loss(
        replace(
            batch,
            student=_each(
                batch.student, lambda one: one if one.grad is None else one - 0.01 * one.grad
            ),
        )
    )
    assert after < before


# what it looks at


@every
def test_it_looks_only_at_what_it_says_it_needs(objective: Objective) -> None:
    batch = _batch(objective)
    assert batch.teacher is not None

    def needed(outputs: Outputs) -> Outputs:
        if "hidden_states" not in objective.needs:
            outputs = replace(outputs, hidden_states=())
        if "attention" not in objective.needs:
            outputs = replace(outputs, queries=(), keys=(), values=())
        return outputs

    teacher = needed(batch.teacher) if objective.needs else None
    found = objective.loss(replace(batch, student=needed(batch.student), teacher=teacher))
    assert found == objective.loss(batch)


@that_distils
def test_each_thing_it_needs_matters(objective: Objective) -> None:
    batch = _batch(objective)
    assert batch.teacher is not None
    other = _outputs(objective, _TEACHER.layers, seed=9)
    swapped = {
        "logits": replace(batch.teacher, logits=other.logits),
        "hidden_states": replace(batch.teacher, hidden_states=other.hidden_states),
        "attention": replace(
            batch.teacher, queries=other.queries, keys=other.keys, values=other.values
        ),
    }
    for signal, teacher in swapped.items():
        same = objective.loss(replace(batch, teacher=teacher)) == objective.loss(batch)
        assert same == (signal not in objective.needs), signal


@that_distils
def test_without_a_teacher_it_says_what_it_needs(objective: Objective) -> None:
    with pytest.raises(ValueError, match="a teacher's"):
        objective.loss(replace(_batch(objective), teacher=None))


@on_logits_alone
def test_permuted_classes_are_caught(objective: Objective) -> None:
    batch = _batch(objective)
    assert batch.teacher is not None
    good = replace(batch, student=replace(batch.student, logits=batch.teacher.logits.detach()))
    permuted = replace(batch.teacher, logits=batch.teacher.logits.roll(1, -1))
    assert objective.loss(replace(good, teacher=permuted)) > objective.loss(good) + 0.1


@every
def test_permuted_labels_are_caught_where_labels_count(objective: Objective) -> None:
    batch = _batch(objective)
    known = batch.labels != UNLABELLED
    permuted = replace(batch, labels=torch.where(known, (batch.labels + 1) % _C, UNLABELLED))
    settings = objective.model_dump()
    counts = not objective.needs or bool(settings.get("weight_ce") or settings.get("weight_mlm"))
    assert (objective.loss(permuted) != objective.loss(batch)) == counts


@pytest.mark.parametrize("objective", [one for one in _VARIANTS if "score" in one.values[0].learns])
def test_what_learns_scores_learns_a_single_logit(objective: Objective) -> None:
    if _is_language(objective):
        return  # of tokens, whatever the labels are
    batch = _batch(objective)
    assert batch.teacher is not None
    own = batch.student.logits[:, :1].detach().requires_grad_()
    graded = replace(
        batch,
        student=replace(batch.student, logits=own),
        teacher=replace(batch.teacher, logits=batch.teacher.logits[:, :1]),
        labels=torch.linspace(0, 1, _B),
    )
    _backward(objective.loss(graded))
    trains_the_head = objective.selects_by == "accuracy"
    assert (own.grad is not None and bool(own.grad.abs().sum() > 0)) == trains_the_head


# labels


def _weighing_labels(of: type[Objective], weight: float) -> Objective:
    name = "weight_ce" if "weight_ce" in of.model_fields else "weight_mlm"
    return of.model_validate({name: weight})


@on_labels
def test_hard_labels_count_as_much_as_their_weight_says(of: type[Objective]) -> None:
    batch = _batch(of())
    added = (
        _weighing_labels(of, 0.25).loss(batch).item() - _weighing_labels(of, 0).loss(batch).item()
    )
    logits = batch.student.logits.flatten(0, -2)
    assert added == pytest.approx(0.25 * cross_entropy(logits, batch.labels.flatten()).item())


@on_labels
def test_rows_without_a_label_count_for_no_ce(of: type[Objective]) -> None:
    batch = _batch(of())
    some = batch.labels.clone()
    some[2:] = UNLABELLED
    without = _weighing_labels(of, 0).loss(batch).item()
    added = _weighing_labels(of, 1).loss(replace(batch, labels=some)).item() - without
    logits = batch.student.logits[:2].flatten(0, -2)
    assert added == pytest.approx(cross_entropy(logits, batch.labels[:2].flatten()).item())
    none = replace(batch, labels=torch.full_like(batch.labels, UNLABELLED))
    assert _weighing_labels(of, 1).loss(none).item() == pytest.approx(without)


# settings


@every
def test_its_settings_survive_json(objective: Objective) -> None:
    again = type(objective).model_validate_json(objective.model_dump_json())
    assert again == objective
    assert objective.model_dump()["objective"]  # the tag that recipes choose by


def test_each_tag_is_its_files_name_and_no_others() -> None:
    for of in OBJECTIVES:
        if of.__module__.startswith(distillery.objectives.__name__):
            assert of().model_dump()["objective"] == of.__module__.rsplit(".", 1)[-1]


@pytest.mark.parametrize("of", OBJECTIVES)
def test_the_form_explains_each_field(of: type[Objective]) -> None:
    for name in of.model_fields.keys() - Objective.model_fields.keys() - {"objective"}:
        field = of.model_fields[name]
        assert field.title, name
        assert field.description, name


@pytest.mark.parametrize("of", OBJECTIVES)
def test_numbers_are_bounded(of: type[Objective]) -> None:
    for name in of.model_fields:
        for value in (-1, 1e9, float("nan")):
            if name.startswith(("weight", "temperature", "relation_heads", "teacher_layer")):
                with pytest.raises(ValueError, match=name):
                    of.model_validate({name: value})


@every
def test_check_takes_what_fits_and_refuses_a_student_without_layers(objective: Objective) -> None:
    objective.check(_STUDENT, _TEACHER)
    if objective.needs <= {"logits"}:
        objective.check(None, _TEACHER)
    else:
        with pytest.raises(ValueError, match=r"this student has none; use soft_targets"):
            objective.check(None, _TEACHER)


def test_importing_them_loads_no_torch() -> None:
    """Recipes hold them, and a recipe is cheap to read."""
    script = f"import sys, {', '.join(_modules())}; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
