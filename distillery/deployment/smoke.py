"""Real examples, asked where a version answers, and compared with what its engine says here."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distillery import storage, tracking
from distillery.deployment.base import DeploymentError
from distillery.noun import Noun
from distillery.nouns import Findings, RegisteredVersion
from distillery.runtimes.base import Card, Example
from distillery.runtimes.images import Image

log = logging.getLogger(__name__)

SAME_MACHINE, OTHER_MACHINE = 1e-3, 0.05
"""How far a probability may be off. Another processor rounds int8 products otherwise."""

_REAL_EXAMPLES = 16
_TEXTS = (
    *("Where is my order?", "I would like to speak to someone about my account, please."),
    *("", "yes", "¿Dónde está mi pedido? 🎉", "مرحبا، أين طلبي؟", "word " * 400),
)

Ask = Callable[[bytes], bytes]
"""JSON in MLflow's scoring protocol → the answer's body. Raises ``DeploymentError``."""


class Question(Noun):
    """One row to ask, and what must be answered, within a tolerance."""

    body: str
    answer: dict[str, Any]


def questions(version: RegisteredVersion, candidate: Path) -> tuple[Question, ...]:
    """Of the test split that the version was evaluated over where it is here, else of our own.

    ``candidate``: the graph's folder inside the registered version, whose own engine answers.
    """
    from distillery.runtimes.opening import open_engine

    engine = open_engine(candidate, "onnxruntime")
    card = engine.card
    examples = [*_real(version), *_own(card)]
    # one by one: dynamic int8 measures its range over all rows of a batch
    return tuple(
        Question(body=_body(one), answer=_answer(card, engine.predict([one]).tolist()[0]))
        for one in examples
    )


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


def _answer(card: Card, logits: Sequence[float]) -> dict[str, Any]:
    import numpy as np

    from distillery.runtimes.base import softmax

    if card.gives_scores:
        return {"score": logits[0]}
    probabilities = softmax(np.array(logits, dtype=np.float32)).tolist()
    named = dict(zip(card.label_names, probabilities, strict=True))
    return {"label": max(named, key=lambda name: named[name]), "probabilities": named}


def _body(example: Example) -> str:
    if isinstance(example, Image):
        columns, row = ["image"], [example.pixels.tolist()]
    elif isinstance(example, str):
        columns, row = ["text"], [example]
    else:
        columns, row = ["text", "text_pair"], list(example)
    return json.dumps({"dataframe_split": {"columns": columns, "data": [row]}})


def _own(card: Card) -> Iterator[Example]:
    import numpy as np

    if card.kind == "image":
        assert card.image_shape is not None, "images have one"
        for seed in range(4):
            pixels = np.random.default_rng(seed).integers(0, 256, card.image_shape)
            yield Image(pixels.astype(np.uint8))
    elif card.is_pair:
        yield from zip(_TEXTS, reversed(_TEXTS), strict=True)
    else:
        yield from _TEXTS


def _real(version: RegisteredVersion) -> list[Example]:
    """Evenly over the test split."""
    from distillery.data import preparation

    text = tracking.file_of(version, "findings.json")
    dataset = None if text is None else Findings.model_validate_json(text).dataset
    if dataset is None or not storage.is_intact(dataset.artifact):
        log.info("the data of %s is not here; the smoke test asks examples of its own", version.uri)
        return []
    examples, _ = preparation.read(dataset, "test")
    step = max(1, len(examples) // _REAL_EXAMPLES)
    return examples[::step][:_REAL_EXAMPLES]
