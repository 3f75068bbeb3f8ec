"""The address of what is served: whatever is sent there is answered or refused in one line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from distillery.deployment.home import Home
from distillery.deployment.local import Local

from .registry import MODEL, Registry
from .served import Address, children_of_gateways

pytestmark = pytest.mark.slow

Serving = tuple[Local, Address]


def _rows(*texts: object) -> dict[str, Any]:
    return {"dataframe_split": {"columns": ["text"], "data": [[text] for text in texts]}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x" * 100_000,
        "word " * 20_000,
        "🎉👩‍👩‍👧",
        "مرحبا بالعالم",
        "a\u202eb\x00c",
        "\ud83c",
    ],
    ids=["empty", "blank", "one long word", "long", "emoji", "rtl", "control", "half a pair"],
)
def test_any_text_is_answered_as_by_its_engine_or_refused(serving: Serving, text: str) -> None:
    _, address = serving
    reply = address.ask(body=_rows(text))
    if text == "\ud83c":  # no text at all: UTF-16 cut in two
        assert reply.status == 400
        assert reply.json["error"]
    else:
        assert reply.status == 200
        (prediction,) = reply.json["predictions"]
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert address.ask().status == 200


_BAD: dict[str, tuple[bytes, str, int, str]] = {
    "no JSON": (b'{"inputs": ', "application/json", 400, "no valid application/json"),
    "nothing": (b"", "application/json", 400, "no valid application/json"),
    "not UTF-8": (b'{"inputs": ["\xff\xfe\xfa"]}', "application/json", 400, "utf-8"),
    "CSV not UTF-8": (b"text\n\xff\xfe\n", "text/csv", 400, "utf-8"),
    "too deep": (b"[" * 100_000, "application/json", 400, "no valid application/json"),
    "a list": (b"[1, 2]", "application/json", 400, "must be a JSON dictionary"),
    "a number": (b"7", "application/json", 400, "must be a JSON dictionary"),
    "a huge number": (b"1" * 10_000, "application/json", 400, "no valid application/json"),
    "wrong columns": (
        b'{"dataframe_records": [{"sentence": "hello"}]}',
        *("application/json", 400, "text"),
    ),
    "no text": (json.dumps(_rows("a", None)).encode(), "application/json", 400, "row 2"),
    "ragged": (
        b'{"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}',
        *("application/json", 400, "columns"),
    ),
    "no parquet": (b"PAR1", "application/vnd.apache.parquet", 400, "Parquet"),
    "another type": (b"hello", "text/plain", 415, "content types"),
    "no type": (b"{}", "", 415, "Content-Type"),
    "another charset": (b"{}", "application/json; charset=latin-1", 415, "UTF-8"),
    "too large": (b" " * (9 << 20), "application/json", 413, "8 MiB"),
}


@pytest.mark.parametrize("case", _BAD)
def test_what_cannot_be_answered_is_refused_in_one_line(serving: Serving, case: str) -> None:
    body, content_type, status, why = _BAD[case]
    _, address = serving
    reply = address.another().ask(body=body, Content_Type=content_type)
    assert reply.status == status, reply.body
    error = reply.json["error"]
    assert why in error
    assert "Traceback" not in error
    assert len(error) < 600
    assert reply.version == "1"
    assert address.ask().status == 200


def test_no_rows_are_no_predictions(serving: Serving) -> None:
    _, address = serving
    reply = address.ask(body=_rows())
    assert reply.status in (200, 400)
    assert address.ask().status == 200


def test_it_says_what_it_is(serving: Serving, registry: Registry) -> None:
    _, address = serving
    version = address.get("/version")
    assert version.json == {
        "model": MODEL,
        "version": "1",
        "digest": registry.first.candidate_digest,
        "since": version.json["since"],
    }
    assert version.version == "1"
    assert address.get("/ping").status == address.get("/health").status == 200
    assert address.get("/nowhere").status == 404
    assert address.get("/invocations").status == 405
    tried = address.ask(X_Distillery_Digest="0" * 64)
    assert tried.status == 404
    assert "no version 000000000000 is tried out here" in tried.json["error"]


def test_what_was_asked_and_answered_is_counted(serving: Serving) -> None:
    place, address = serving
    before = place.observed(MODEL)
    assert before is not None
    rows = {"dataframe_records": [{"text": "a b"}, {"text": "a b c d e"}, {"text": "a " * 20}]}
    answers = address.ask(body=rows).json["predictions"]
    # text columns are read from JSON alone: from CSV, a number could not be told from its text
    assert address.ask(body=b"text\na b\n", Content_Type="text/csv").status == 400
    address.ask(body={"inputs": {"text": ["a " * 200]}})
    address.ask(body={"instances": [{"text": "a " * 20}]})
    address.ask(body=b"{")
    after = place.observed(MODEL)
    assert after is not None
    assert (after.version, after.rows - before.rows) == ("1", 5)
    lengths = zip(after.length_histogram, before.length_histogram or (0,) * 7, strict=True)
    assert [a - b for a, b in lengths] == [1, 1, 0, 2, 0, 0, 1]
    assert sum(after.predicted_labels.values()) == after.rows
    assert set(after.predicted_labels) >= {answer["label"] for answer in answers}
    page = address.get("/metrics").body.decode()
    for line in (
        'distillery_requests_total{model="intents",status="200",version="1"} ',
        'distillery_requests_total{model="intents",status="400",version="1"} ',
        'distillery_latency_seconds_count{model="intents",version="1"} ',
        'distillery_input_words_bucket{le="4.0",model="intents",version="1"} ',
    ):
        assert line in page


def test_secrets_do_not_reach_what_serves(serving: Serving) -> None:
    place, _ = serving
    running = Home(MODEL).gateway(place.port)
    assert running is not None
    storage = Path(os.environ["DISTILLERY_STORAGE"])
    for pid in (running.process.split(":")[1], *(p.pid for p in children_of_gateways(storage))):
        assert "very secret" not in Path(f"/proc/{pid}/environ").read_text()
