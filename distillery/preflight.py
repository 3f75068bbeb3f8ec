"""Everything that can be checked before the first minute of training is spent."""

import torch
from transformers import AutoModelForSequenceClassification, PretrainedConfig

from distillery import preparation, storage, tracking
from distillery.errors import UserError
from distillery.nouns import Noun
from distillery.preparation import Splits
from distillery.recipe import Recipe

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
    teacher_parameters: int
    student_parameters: dict[str, int]
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
    config = recipe.teacher.config()
    _check_length(recipe, config)
    config.num_labels = len(splits.label_names)
    students = {student.name: _parameters(student.config(config)) for student in recipe.students}
    _check_size_gate(recipe, students)
    per_student = 2 if recipe.control else 1
    return Plan(
        recipe_name=recipe.name,
        tracking_uri=tracking_uri,
        storage_root=str(root),
        rows=_rows(splits),
        labels=len(splits.label_names),
        leaked_rows_removed=splits.leaked_rows_removed,
        teacher_parameters=_parameters(config),
        student_parameters=students,
        trainings=(recipe.teacher.fine_tuning is not None)
        + len(recipe.students) * len(recipe.seeds) * per_student,
    )


def _rows(splits: Splits) -> dict[str, int]:
    return {
        "train": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
    }


def _check_length(recipe: Recipe, config: PretrainedConfig) -> None:
    positions = getattr(config, "max_position_embeddings", None)
    # RoBERTa counts positions from its padding index
    offset = config.pad_token_id + 1 if config.model_type == "roberta" else 0
    if positions is not None and recipe.teacher.max_length > positions - offset:
        raise UserError(
            f"teacher.max_length {recipe.teacher.max_length} is more than the "
            f"{positions - offset} tokens this teacher can read; lower it"
        )


def _parameters(config: PretrainedConfig) -> int:
    with torch.device("meta"):  # shapes without memory
        model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    return sum(weight.numel() for weight in model.parameters())


def _check_size_gate(recipe: Recipe, students: dict[str, int]) -> None:
    limit = recipe.gates.size_bytes_max
    if limit is None:
        return
    per_weight = min(_BYTES_PER_WEIGHT[precision] for precision in recipe.export.precisions)
    name, smallest = min(students.items(), key=lambda item: item[1])
    least = int(smallest * per_weight * _SLACK)
    if limit < least:
        raise UserError(
            f"gates.size_bytes_max {limit:,} can be passed by no student: the smallest, '{name}', "
            f"takes at least {least:,} bytes in {'/'.join(recipe.export.precisions)}; raise the "
            "gate, or choose a smaller student"
        )
