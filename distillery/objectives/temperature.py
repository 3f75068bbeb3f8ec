"""Temperatures: one number, or one that moves while a stage trains."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter

from distillery.noun import Noun

_Constant = Annotated[float, Field(gt=0, le=1000)]


class LinearTemperature(Noun):
    """Moves in equal steps from start to end over the stage."""

    start: float = Field(
        gt=0, le=1000, title="First temperature", description="At the stage's first step."
    )
    end: float = Field(
        gt=0, le=1000, title="Last temperature", description="At the stage's last step."
    )


def _told_apart(value: object) -> object:
    """Picks the kind by the value's form, so that an error names the key and one problem."""
    if isinstance(value, Mapping | LinearTemperature):
        return LinearTemperature.model_validate(value)
    return _CONSTANT.validate_python(value)


_CONSTANT: TypeAdapter[float] = TypeAdapter(_Constant)
Temperature = Annotated[_Constant | LinearTemperature, BeforeValidator(_told_apart)]


def at(temperature: float | LinearTemperature, progress: float) -> float:
    """The temperature after the share ``progress`` of the stage's steps."""
    if isinstance(temperature, LinearTemperature):
        return temperature.start + progress * (temperature.end - temperature.start)
    return temperature
