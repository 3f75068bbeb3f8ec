"""What the models of one benchmark are asked: the same for all of them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from distillery.errors import UserError
from distillery.recipe_files import SHIPPED
from distillery.runtimes.base import Example, Text
from distillery.runtimes.images import Image
from distillery.subjects.finding import Subject

_SHIPPED_TEXTS = SHIPPED / "data" / "quickstart" / "test.jsonl"
_RANDOM_EXAMPLES = 200
# where a graph's table was not found: any has as many rows
_FEW_IDS = 100


def examples_for(
    subjects: Sequence[Subject], texts: Path | None, seed: int
) -> tuple[list[Example], str]:
    """Inputs that all of them take, and what they are, in words.

    Texts of a file, one a line and pairs apart by a tab, or those of the quickstart; random token
    ids for a model without a tokenizer, random pixels for a model of images.

    Raises ``UserError`` where the models take different inputs, or the file does not fit them.
    """
    wanted = {_inputs(subject): subject.name for subject in subjects}
    if len(wanted) > 1:
        (one, first), (other, second) = list(wanted.items())[:2]
        raise UserError(
            f"{first} takes {one}, and {second} takes {other}; what is compared must be asked the "
            "same: benchmark them apart"
        )
    card, (inputs,) = subjects[0].card, wanted
    is_text = subjects[0].has_tokenizer and card.kind == "text"
    if texts is not None and not is_text:
        raise UserError(f"{subjects[0].name} takes {inputs}; leave out --texts")
    rng = np.random.default_rng(seed)
    if card.image_shape is not None:
        pixels = rng.integers(256, size=(_RANDOM_EXAMPLES, *card.image_shape), dtype=np.uint8)
        return [Image(one) for one in pixels], "random pixels"
    if not is_text:
        known = min(subject.vocabulary or _FEW_IDS for subject in subjects)
        ids = rng.integers(known, size=(_RANDOM_EXAMPLES, card.max_length))
        return [" ".join(map(str, row)) for row in ids], f"random ids of {card.max_length} tokens"
    if texts is not None:
        return [*_lines(texts, is_pair=card.is_pair)], f"{texts}, as long as they are"
    rows = _SHIPPED_TEXTS.read_text(encoding="utf-8").splitlines()
    shipped = [str(json.loads(row)["text"]) for row in rows]
    if card.is_pair:
        return [*zip(shipped, reversed(shipped), strict=True)], "pairs of the quickstart's texts"
    return [*shipped], "the quickstart's test texts, as long as they are"


def _inputs(subject: Subject) -> str:
    card = subject.card
    if card.image_shape is not None:
        return f"images of {'×'.join(map(str, card.image_shape))}"
    if not subject.has_tokenizer:
        return f"token ids, {card.max_length} a row, since there is no tokenizer.json beside it"
    return "pairs of texts" if card.is_pair else "texts"


def _lines(path: Path, *, is_pair: bool) -> list[Text]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(
            f"cannot read the texts in {path}: {why}; give a file with one text a line"
        ) from error
    found: list[Text] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        one, tab, other = line.partition("\t")
        if is_pair and not tab:
            raise UserError(f"{path}, line {number}: no tab; a pair is two texts with one between")
        found.append((one, other) if is_pair else line)
    if not found:
        raise UserError(f"{path} holds no text; give a file with one text a line")
    return found
