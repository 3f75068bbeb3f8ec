"""What a version is asked before it is switched to: real examples, answered by its engine here."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distillery import storage, tracking
from distillery.deployment.asking import Question
from distillery.nouns import Findings, RegisteredVersion
from distillery.runtimes.base import Card, Example
from distillery.runtimes.images import Image

log = logging.getLogger(__name__)

_REAL_EXAMPLES = 16
_TEXTS = (
    *("Where is my order?", "I would like to speak to someone about my account, please."),
    *("", "yes", "¿Dónde está mi pedido? 🎉", "مرحبا، أين طلبي؟", "word " * 400),
)


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
