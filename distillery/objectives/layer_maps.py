"""Which teacher layer each student layer learns from.

Layers count from 1, as in the papers and as hidden states do: 0 are the embeddings.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, TypeAdapter

from distillery.nouns import Architecture

Rule = Literal["uniform", "top", "bottom"]
_Listed = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


def _told_apart(value: object) -> object:
    """Picks the kind by the value's form, so that an error names the key and one problem."""
    return (_RULE if isinstance(value, str) else _LISTED).validate_python(value)


_RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
_LISTED: TypeAdapter[tuple[int, ...]] = TypeAdapter(_Listed)
LayerMapping = Annotated[Rule | _Listed, BeforeValidator(_told_apart)]


def layer_map(rule: Rule, student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """The teacher layer of each student layer m = 1 … M, of N (Jiao et al. 2020, §3.1, §4).

    uniform: m·N/M; where M does not divide N, the nearest layer, and of two the upper one (the
    paper has no such case). top: m + N - M. bottom: m.
    """
    if student_layers > teacher_layers:
        raise ValueError(
            f"a student of {student_layers} layers cannot be mapped to a teacher of "
            f"{teacher_layers}; give the student at most {teacher_layers}"
        )
    own = range(1, student_layers + 1)
    if rule == "uniform":
        # ⌊m·N/M + ½⌋ in whole numbers
        return tuple((2 * m * teacher_layers + student_layers) // (2 * student_layers) for m in own)
    offset = teacher_layers - student_layers if rule == "top" else 0
    return tuple(m + offset for m in own)


def with_layers(student: Architecture | None, objective: str) -> Architecture:
    """The student's shape. Raises ``ValueError`` where it has no transformer layers."""
    if student is None:
        raise ValueError(
            f"{objective} compares transformer layers and this student has none; use soft_targets "
            "or logit_mse"
        )
    return student
