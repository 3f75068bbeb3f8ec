"""Rows whose labels came later, asked of whatever answers at a place's address."""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from distillery.data import preparation
from distillery.data.examples import Example
from distillery.data.rows import Rows
from distillery.deployment.base import Served
from distillery.errors import UserError
from distillery.monitoring import merit
from distillery.monitoring.drift import Drift
from distillery.monitoring.merit import LiveMerit
from distillery.monitoring.reference import Reference
from distillery.recipe import Data
from distillery.runtimes.images import Image

_ROWS_A_REQUEST = 32
_ANSWER_SECONDS = 60


def judge(data: Data, served: Served, reference: Reference, limits: Drift) -> LiveMerit:
    """How good the answers are.

    Raises ``UserError`` for rows that this model does not read, an address that does not answer,
    and a version that changes while it is asked.
    """
    rows = _fitting(data, reference)
    answers = _asked(served, rows.texts)
    tested, tested_rows = reference.merit, reference.dataset.test.rows
    if reference.dataset.label_kind == "score":
        return merit.of_scores(
            [float(answer["score"]) for answer in answers],
            rows.scores,
            tested=tested,
            tested_rows=tested_rows,
            limits=limits,
        )
    return merit.of_labels(
        [str(answer["label"]) for answer in answers],
        rows.names,
        reference.dataset.label_names,
        tested=tested,
        tested_rows=tested_rows,
        limits=limits,
    )


def _fitting(data: Data, reference: Reference) -> Rows:
    dataset = reference.dataset
    what = {True: "pairs of texts", False: "single texts"}
    reads = "images" if dataset.kind == "image" else what[dataset.is_pair]
    given = "images" if data.kind == "image" else what[data.text_pair is not None]
    if reads != given:
        raise UserError(
            f"labelled: {reference.version.uri} reads {reads}, and '{data.source}' is said to hold "
            f"{given}; set text, text_pair or image of the labelled rows"
        )
    if data.label_kind != dataset.label_kind:
        raise UserError(
            f"labelled: {reference.version.uri} predicts a {dataset.label_kind}, and the labels of "
            f"'{data.source}' are said to be of kind {data.label_kind}; set label_kind of the "
            "labelled rows"
        )
    rows = preparation.labelled(data)
    if rows.names and not set(rows.names) & set(dataset.label_names):
        raise UserError(
            f"labelled: '{rows.names[0]}' and all other labels of '{data.source}' are unknown to "
            f"{reference.version.uri}, which knows {', '.join(dataset.label_names[:4])} …; name "
            "them as the training data does"
        )
    return rows


def _asked(served: Served, examples: Sequence[Example]) -> list[dict[str, Any]]:
    if not served.address.startswith(("http://", "https://")):
        raise UserError(
            f"labelled: {served.model} is served at {served.address}, which is not asked over "
            "HTTP; leave the labelled rows out"
        )
    answers: list[dict[str, Any]] = []
    for start in range(0, len(examples), _ROWS_A_REQUEST):
        some = examples[start : start + _ROWS_A_REQUEST]
        answers += _answers(served, [_record(example) for example in some])
    return answers


def _answers(served: Served, records: list[dict[str, object]]) -> list[dict[str, Any]]:
    url = f"{served.address.rstrip('/')}/invocations"
    request = urllib.request.Request(  # noqa: S310  the scheme was checked
        url,
        json.dumps({"dataframe_records": records}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:  # noqa: S310
            digest = response.headers.get("X-Distillery-Digest", served.digest)
            found = json.load(response)["predictions"]
    except urllib.error.HTTPError as error:
        said = " ".join(error.read(300).decode(errors="replace").split())[:160]
        raise UserError(
            f"labelled: {url} refused the rows with {error.code}: {said}; check their columns"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"labelled: {url} gave no answer that can be read ({reason}); see whether it serves: "
            "distillery status"
        ) from error
    if digest != served.digest:
        raise UserError(f"labelled: {served.model} was deployed anew while it was asked; run again")
    if not isinstance(found, list) or len(found) != len(records):
        raise UserError(f"labelled: {url} did not give one answer a row; is it distillery's model?")
    return found


def _record(example: Example) -> dict[str, object]:
    """As a registered model reads it."""
    match example:
        case Image():
            return {"image": example.pixels.tolist()}
        case str():
            return {"text": example}
        case _:
            return {"text": example[0], "text_pair": example[1]}
