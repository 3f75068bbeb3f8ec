"""Everything that can be checked before the first minute of training is spent."""

from typing import TYPE_CHECKING

from distillery import preparation, storage, tracking
from distillery.errors import UserError
from distillery.nouns import Noun
from distillery.preparation import Splits
from distillery.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# what one weight takes in the smallest form of each precision, graph and scales left out
_BYTES_PER_WEIGHT = {"fp32": 4.0, "int8": 1.0}
_SLACK = 0.9


class Plan(Noun):
    """What a run would do, said before it does it."""

    recipe_name: str
    tracking_uri: str
    storage_root: str
    rows: dict[str, int]
    labels: int
    leaked_rows_removed: int
    trainings: int


def check(recipe: Recipe) -> Plan:
    """Seconds, no training.

    Raises ``UserError`` for the first thing that would stop the run later: storage, tracking
    server, data, teacher, students, gates.
    """
    root = storage.ready()
    tracking_uri = tracking.connect()
    splits = preparation.load(recipe.data)
    recipe.teacher.check(splits.label_names)
    teacher = recipe.teacher.architecture()
    if teacher.max_tokens is not None and recipe.teacher.max_length > teacher.max_tokens:
        raise UserError(
            f"teacher.max_length {recipe.teacher.max_length} is more than the "
            f"{teacher.max_tokens} tokens this teacher can read; lower it"
        )
    for student in recipe.students:
        student.check(teacher)
    if recipe.gates.size_bytes_max is not None:
        _check_size_gate(recipe, recipe.gates.size_bytes_max, labels=len(splits.label_names))
    per_student = 2 if recipe.control else 1
    return Plan(
        recipe_name=recipe.name,
        tracking_uri=tracking_uri,
        storage_root=str(root),
        rows=_rows(splits),
        labels=len(splits.label_names),
        leaked_rows_removed=splits.leaked_rows_removed,
        trainings=(recipe.teacher.fine_tuning is not None)
        + len(recipe.students) * len(recipe.seeds) * per_student,
    )


def parameters(recipe: Recipe, *, labels: int) -> dict[str, int]:
    """Weights of the teacher and of each student, by name, for so many labels.

    Apart from ``check``, since building models costs two seconds that a cached run has no use for.
    """
    config = recipe.teacher.config()
    config.num_labels = labels
    return {
        "teacher": _weights(config),
        **{student.name: _weights(student.config(config)) for student in recipe.students},
    }


def _rows(splits: Splits) -> dict[str, int]:
    return {
        "train": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
    }


def _weights(config: "PretrainedConfig") -> int:
    import torch
    from transformers import AutoModelForSequenceClassification

    with torch.device("meta"):  # shapes without memory
        model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    return sum(weight.numel() for weight in model.parameters())


def _check_size_gate(recipe: Recipe, limit: int, *, labels: int) -> None:
    weights = parameters(recipe, labels=labels)
    per_weight = min(_BYTES_PER_WEIGHT[precision] for precision in recipe.export.precisions)
    smallest = min((student.name for student in recipe.students), key=weights.__getitem__)
    least = int(weights[smallest] * per_weight * _SLACK)
    if limit < least:
        raise UserError(
            f"gates.size_bytes_max {limit:,} can be passed by no student: the smallest, "
            f"'{smallest}', takes at least {least:,} bytes in "
            f"{'/'.join(recipe.export.precisions)}; raise the gate, or choose a smaller student"
        )
