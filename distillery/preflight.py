"""Everything that can be checked before the first minute of training is spent."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from distillery import storage, tracking
from distillery.aws.nouns import Plan as RentalPlan
from distillery.data import preparation
from distillery.data.preparation import Splits
from distillery.errors import UserError
from distillery.launch import launching
from distillery.noun import Noun
from distillery.objectives.base import Training
from distillery.recipe import AnyStudent, Recipe
from distillery.search import planning
from distillery.targets import renting
from distillery.teachers import hub
from distillery.teachers.cnn import CnnTeacher

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_FP32_BYTES = 4.0
_SLACK = 0.9


class Plan(Noun):
    """What a run would do, said before it does it."""

    recipe_name: str
    tracking_uri: str
    storage_root: str
    rows: dict[str, int]
    labels: int
    image_shape: tuple[int, int, int] | None
    score_range: tuple[float, float] | None
    leaked_rows_removed: int
    trainings: int
    search: planning.SearchPlan | None
    rented: RentalPlan | None = Field(default=None, description="On AWS, and what it may cost.")


def check(recipe: Recipe) -> Plan:
    """Seconds, no training.

    Raises ``UserError`` for the first thing that would stop the run later: storage, tracking
    server, launcher, place, search, data, teacher, students, gates.
    """
    root = storage.ready()
    tracking_uri = tracking.connect()
    _check_launcher(recipe)
    if recipe.deploy is not None:
        recipe.deploy.check()
    search = planning.planned(recipe)
    splits = preparation.load(recipe.data)
    for name, source in recipe.teachers.items():
        source.check(splits.label_names)
        tokens = source.architecture().max_tokens
        if tokens is not None and source.longest_input > tokens:
            raise UserError(
                f"{name}: max_length {source.longest_input} is more than the {tokens} tokens this "
                "teacher can read; lower it"
            )
        if isinstance(source, CnnTeacher) and splits.image_shape is not None:
            source.check_shape(splits.image_shape)
    for student in recipe.students:
        _check_student(recipe, student)
    for augmentation in recipe.augmentation:
        augmentation.check(is_pair=recipe.data.text_pair is not None)
        augmentation.check_teacher(_source(recipe))
        if splits.image_shape is not None:
            augmentation.check_shape(splits.image_shape)
    if recipe.general_distillation is not None:
        recipe.general_distillation.text.check(is_pair=False)
        _check_general(recipe)
    if recipe.gates.size_bytes_max is not None:
        _check_size_gate(recipe, recipe.gates.size_bytes_max, splits)
    return Plan(
        recipe_name=recipe.name,
        tracking_uri=tracking_uri,
        storage_root=str(root),
        rows=_rows(splits),
        labels=len(splits.label_names),
        image_shape=splits.image_shape,
        score_range=splits.score_range,
        leaked_rows_removed=splits.leaked_rows_removed,
        trainings=sum(one.fine_tuning is not None for one in recipe.teachers.values())
        + sum(
            bool(student.general) + len(recipe.seeds) * (student.generations + recipe.control)
            for student in recipe.students
        )
        + _trainings_studied(recipe),
        search=search,
        # last, so that AWS is asked only for what can be trained
        rented=renting.plan(recipe.places),
    )


def parameters(
    recipe: Recipe, *, labels: int, image_shape: tuple[int, int, int] | None = None
) -> dict[str, int]:
    """Weights of the teacher and of each student, by name, for such data.

    Apart from ``check``, since building models costs two seconds that a cached run has no use for.
    """
    found = {}
    configs = [source.config() for source in recipe.teachers.values()]
    for name, config in zip(recipe.teachers, configs, strict=True):
        config.num_labels = labels
        if image_shape is not None:
            config.image_shape = list(image_shape)
            config.pixel_mean = config.pixel_std = [1.0] * image_shape[-1]
        found[name] = _weights(config)
    for student in recipe.students:
        own = student.config(configs[0], is_pair=recipe.data.text_pair is not None)
        found[student.name] = _weights(own)
    return found


def _check_launcher(recipe: Recipe) -> None:
    """Batches can be split, machines can meet, and there is hardware for what is asked."""
    launcher = recipe.launcher
    if launcher.nodes > 1:
        launching.rendezvous()
    for where, training in _trainings(recipe):
        parts = training.gradient_accumulation * launcher.total
        if training.batch_size % parts:
            nearest = max(1, round(training.batch_size / parts)) * parts
            raise UserError(
                f"{where}: batch_size {training.batch_size} cannot be split into {parts} equal "
                f"parts (gradient_accumulation {training.gradient_accumulation} × "
                f"{launcher.processes} processes × {launcher.nodes} nodes); use {nearest}, or "
                "change one of them"
            )
    asked = [where for where, training in _trainings(recipe) if training.precision == "fp16"]
    if not asked and launcher.total == 1:
        return
    import torch

    if asked and not torch.cuda.is_available():
        raise UserError(
            f"{asked[0]}: precision fp16 needs a CUDA GPU, and there is none here; use auto, or "
            "bf16, which runs on CPUs too"
        )
    gpus = torch.cuda.device_count()
    if launcher.processes > 1 and 0 < gpus < launcher.processes:
        raise UserError(
            f"launcher.processes is {launcher.processes} and this machine has {gpus} GPUs, one a "
            f"process; use {gpus}, or hide the GPUs with CUDA_VISIBLE_DEVICES= to train on the CPU"
        )


def _trainings(recipe: Recipe) -> Iterator[tuple[str, Training]]:
    """Each, and where it stands in the recipe; a control's are its student's."""
    for name, source in recipe.teachers.items():
        if source.fine_tuning is not None:
            yield name, source.fine_tuning.training
    if recipe.general_distillation is not None:
        yield "general_distillation.head", recipe.general_distillation.head
    for student in recipe.students:
        for kind, stages in (("general", student.general), ("task", student.task)):
            for number, stage in enumerate(stages):
                where = f"student '{student.name}', {kind} {number} ({stage.objective})"
                yield where, stage.training


def _check_student(recipe: Recipe, student: AnyStudent) -> None:
    """It can be made from the first teacher, and each of its losses can compare the two."""
    teacher = next(iter(recipe.teachers.values())).architecture()
    student.check(teacher)
    own = student.architecture(teacher)
    longest = max(source.longest_input for source in recipe.teachers.values())
    if own is not None and own.max_tokens is not None and longest > own.max_tokens:
        raise UserError(
            f"student '{student.name}': the teacher's max_length {longest} is more than the "
            f"{own.max_tokens} tokens this student can read; lower it, or choose another student"
        )
    for number, stage in enumerate(student.task):
        where = f"student '{student.name}', task {number} ({stage.objective})"
        if stage.needs <= {"logits"}:
            continue
        if len(recipe.teachers) > 1:
            raise UserError(
                f"{where}: an ensemble gives logits alone, and this loss compares "
                f"{' and '.join(sorted(stage.needs - {'logits'}))}; use soft_targets, or a single "
                "teacher"
            )
        if own is not None and not student.shares_tokens_with(_source(recipe)):
            raise UserError(
                f"{where}: student and teacher split texts into different tokens, so their layers "
                "cannot be compared; use soft_targets or logit_mse, the teacher's tokenizer, or "
                "trimming.seen_at_least: 1"
            )
        if own is None:
            raise UserError(
                f"{where}: this student has no transformer layers to compare; use soft_targets or "
                "logit_mse"
            )
        try:
            stage.check(own, teacher)
        except ValueError as error:
            raise UserError(f"{where}: {error}") from error


def _trainings_studied(recipe: Recipe) -> int:
    """Those of a temperature study, but for what is trained anyway."""
    study, student = recipe.temperature_study, recipe.studied
    if study is None or student is None:
        return 0
    variants = [one for one in study.variants(student) if one.student not in recipe.students]
    return len(recipe.seeds) * len(variants) * student.generations


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


def _source(recipe: Recipe) -> str | None:
    return getattr(next(iter(recipe.teachers.values())), "source", None)


def _check_general(recipe: Recipe) -> None:
    """Each general stage can compare the student with the encoder before it is fine-tuned."""
    source = recipe.pretrained
    teacher = source.architecture()
    for student in recipe.students:
        own = student.architecture(teacher)
        for number, stage in enumerate(student.general):
            where = f"student '{student.name}', general {number} ({stage.objective})"
            if own is None:
                raise UserError(
                    f"{where}: this student has no transformer layers; general distillation is for "
                    "encoders"
                )
            try:
                stage.check(own, teacher)
            except ValueError as error:
                raise UserError(f"{where}: {error}") from error
            if stage.predicts == "tokens" and hub.tokenizer_of(source.source).mask_token is None:
                raise UserError(
                    f"{where}: the tokenizer of '{source.source}' has no mask token, so no token "
                    "can be hidden; use tinybert_layers or minilm_relations"
                )


def _check_size_gate(recipe: Recipe, limit: int, splits: Splits) -> None:
    weights = parameters(recipe, labels=len(splits.label_names), image_shape=splits.image_shape)
    if any(export.tables.shared_rows is not None for _, export in recipe.forms("student")):
        return  # how many rows are left is known only after the texts were read
    by_label = {one.label: one.bytes_per_weight for one in recipe.export.quantizations}
    by_label["fp32"] = _FP32_BYTES
    precision, per_weight = min(by_label.items(), key=lambda item: item[1])
    smallest = min((student.name for student in recipe.students), key=weights.__getitem__)
    least = int(weights[smallest] * per_weight * _SLACK)
    if limit < least:
        raise UserError(
            f"gates.size_bytes_max {limit:,} can be passed by no student: the smallest, "
            f"'{smallest}', takes at least {least:,} bytes in "
            f"{precision}; raise the gate, or choose a smaller student"
        )
