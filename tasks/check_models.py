"""Everything that would stop a benchmark, found before it starts."""

from distillery.subjects import checking
from distillery.subjects.asking import Asked
from distillery.subjects.checking import Ready
from tasks.step import fresh_step


@fresh_step
def check_models(asked: Asked) -> Ready:
    """Raises ``UserError`` for the first problem."""
    return checking.ready(asked)
