"""The smoke test: rows whose answers are known, asked over HTTP.

Goes into the container too, which asks itself before it says that it is healthy.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from distillery.deployment.base import DeploymentError
from distillery.noun import Noun

SAME_MACHINE, OTHER_MACHINE = 1e-3, 0.05
"""How far a probability may be off. Another processor rounds int8 products otherwise."""

Ask = Callable[[bytes], bytes]
"""JSON in MLflow's scoring protocol → the answer's body. Raises ``DeploymentError``."""


class Question(Noun):
    """One row to ask, and what must be answered, within a tolerance."""

    body: str
    answer: dict[str, Any]


Questions = TypeAdapter(tuple[Question, ...])
"""As JSON, to travel with a model."""


def check(questions: Sequence[Question], ask: Ask, tolerance: float) -> None:
    """Raises ``DeploymentError`` at the first answer that is not the engine's."""
    for question in questions:
        said = ask(question.body.encode())
        try:
            (answer,) = json.loads(said)["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise DeploymentError(f"it answers {said[:200]!r}, which is no prediction") from error
        wrong = _difference(question.answer, answer, tolerance)
        if wrong:
            raise DeploymentError(f"asked {question.body[:120]}, {wrong}")


def _difference(expected: Mapping[str, Any], said: Mapping[str, Any], tolerance: float) -> str:
    if "score" in expected:
        score = expected["score"]
        if abs(said.get("score", float("inf")) - score) <= tolerance * max(1.0, abs(score)):
            return ""
        return f"it says {said.get('score')}; the registered version says {score:.4f}"
    wanted: dict[str, float] = expected["probabilities"]
    given = said.get("probabilities", {})
    if set(given) != set(wanted):
        return f"it knows the labels {sorted(given)[:5]}…, the version {sorted(wanted)[:5]}…"
    off = max(abs(given[name] - p) for name, p in wanted.items())
    # two labels that are as good as equal may change places
    is_close = wanted[expected["label"]] - wanted.get(said.get("label", ""), 0) <= 2 * tolerance
    if off <= tolerance and is_close:
        return ""
    return (
        f"it says {said.get('label')!r} (probabilities are off by {off:.3f}); the registered "
        f"version says {expected['label']!r}"
    )
