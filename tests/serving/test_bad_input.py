"""Whatever is sent to a registered model: a right answer, or one line that says what is wrong.

Over real HTTP, to MLflow's scoring server. It must answer the next request whatever came before.
"""

import base64
import json
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pictures
import pytest

from distillery import tracking
from distillery.errors import UserError
from distillery.nouns import RegisteredVersion
from distillery.runtimes.images import Image

from .conftest import SIDE, Server

WARM = {"text": "warm"}
_LONG = 100_000


@pytest.fixture(autouse=True)
def _still_answers(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test, each server that it asked is asked something sound."""
    yield
    for name, row in (("texts", WARM), ("images", {"image": _png(SIDE)})):
        if name in request.fixturenames:
            server: Server = request.getfixturevalue(name)
            answer = server.ask(row)
            assert answer.status == 200
            assert answer.body["predictions"][0]["label"] == "warm"


def _png(side: int, channels: int = 1, brightness: int = 200) -> str:
    image = Image(np.full((side, side, channels), brightness, dtype=np.uint8))
    return base64.b64encode(pictures.png(image)).decode()


def _cut() -> str:
    """A file without its last part."""
    (noise,), _ = pictures.pictures(1)
    return base64.b64encode(pictures.png(noise)[:-40]).decode()


def _bomb(side: int) -> str:
    """A PNG of that many pixels a side in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ("", 0.5),
        ("   ", 0.5),
        ("warm 🔥👩‍👩‍👧‍👦", 0.99),
        ("שלום warm مرحبا", 0.99),
        ("\u202ewarm\u202c", 0.99),  # turned round for the eye alone
        ("ＷＡＲＭ", 0.5),  # no letters of this vocabulary
        ("a\0b", 0.5),
        ("nan", 0.5),
        ("None", 0.5),
        ("warm " * (_LONG // 5), 1),
        ("x" * _LONG, 0.5),
        ("🔥" * _LONG, 0.5),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_any_text_is_answered(texts: Server, text: str, probability: float) -> None:
    answer = texts.ask({"text": text})
    assert answer.status == 200
    (found,) = answer.body["predictions"]
    assert found["probabilities"]["warm"] == pytest.approx(probability, abs=0.01)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "holds nothing"),
        (float("nan"), "holds nothing"),
        (5, "holds a value of type int"),
        (1.5, "holds a value of type float"),
        (True, "holds a value of type bool"),
        ({"a": 1}, "holds a value of type dict"),
    ],
)
def test_what_is_no_text_is_refused_by_its_row(texts: Server, value: Any, told: str) -> None:
    for rows, row in (([{"text": value}], 1), ([WARM, {"text": value}, WARM], 2)):
        answer = texts.ask(*rows)
        assert answer.status == 400
        line = answer.message.splitlines()[-1]
        assert line.startswith(f"Error: row {row}: 'text' {told}")
        assert "Traceback" not in json.dumps(answer.body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"dataframe_records": [{"text": "warm"}, {"text": "cold"}]}',
        b'{"dataframe_records": [{"text": "warm", "more": 1}, {"text": "cold"}]}',
        b'{"dataframe_split": {"columns": ["text"], "data": [["warm"], ["cold"]]}}',
        b'{"instances": [{"text": "warm"}, {"text": "cold"}]}',
        b'{"inputs": ["warm", "cold"]}',
        b'{"inputs": {"text": ["warm", "cold"]}}',
    ],
)
def test_the_forms_that_a_request_may_have(texts: Server, body: bytes) -> None:
    answer = texts.post(body)
    assert answer.status == 200, answer.message
    assert [row["label"] for row in answer.body["predictions"]] == ["warm", "cold"]


def test_no_rows_are_no_answers(texts: Server) -> None:
    answer = texts.post(b'{"dataframe_split": {"columns": ["text"], "data": []}}')
    assert (answer.status, answer.body) == (200, {"predictions": []})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "valid JSON"),
        (b'{"dataframe_rec', "valid JSON"),
        (b'{"dataframe_records": [{"text": "\xff\xfe"}]}', "UnicodeDecodeError"),
        (b'{"dataframe_records": [{"text": "\\ud800"}]}', "surrogates not allowed"),
        (b'{"dataframe_records": [{"txt": "warm"}]}', r"missing inputs \['text'\]"),
        (b'{"dataframe_records": []}', r"missing inputs \['text'\]"),
        (b'{"dataframe_records": [5]}', r"missing inputs \['text'\]"),
        (b'{"dataframe_records": 5}', "must be a list of records"),
        (b'{"dataframe_split": 5}', "must be a dictionary"),
        (b'{"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}', "2 columns"),
        (b'{"inputs": ["warm", "\\ud800"]}', "row 2: 'text' is not UTF-8 at character 0"),
        (b'{"inputs": [null]}', "row 1: 'text' holds nothing"),
        (b'{"inputs": {"text": ["warm", 5]}}', "row 2: 'text' holds a value of type int"),
        (b'["warm"]', "must be a JSON dictionary"),
        (b"null", "must be a JSON dictionary"),
    ],
)
def test_a_request_that_is_none(texts: Server, body: bytes, told: str) -> None:
    answer = texts.post(body)
    assert answer.status == 400
    assert re.search(told, answer.message)


def test_other_kinds_of_content(texts: Server) -> None:
    assert texts.post(b"x", "image/png").status == 415
    assert texts.post(b"x", "application/vnd.apache.parquet").status == 400
    assert texts.post(b"text\n\xff\n", "text/csv").status == 400


def test_json_deeper_than_it_can_be_read(texts: Server) -> None:
    """MLflow's own reader gives up, before any model of ours is asked."""
    assert texts.post(b"[" * _LONG).status in (400, 500)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "there is no image"),
        (5, "there is no image"),
        ([], "there is no image"),
        ("", "cannot identify the format of the image"),
        ("not base64!", "no base64"),
        ("ünïcode", "no base64"),
        (base64.b64encode(b"hello").decode(), "cannot identify the format of the image"),
        (_cut(), "truncated"),
        (_png(SIDE + 1), "is 9×9 pixels; this model reads 8×8 pixels, grey: resize it"),
        (_png(SIDE, channels=3), "colour; this model reads 8×8 pixels, grey"),
        ([[1], [2, 3]], "rows of equal length"),
        ([["a"] * SIDE] * SIDE, "rows of equal length"),
        ([[None] * SIDE] * SIDE, "whole numbers"),
        ([[-1] * SIDE] * SIDE, "whole numbers"),
        ([[1.5] * SIDE] * SIDE, "whole numbers"),
        ([[]], "this model reads 8×8 pixels"),
        ([[[[[1]]]]], "uint8 of"),
        (_bomb(50_000), "decompression bomb"),
        (_bomb(12_000), "is 12000×12000 pixels; this model reads 8×8 pixels"),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_what_is_no_image(images: Server, value: Any, told: str) -> None:
    answer = images.ask({"image": _png(SIDE)}, {"image": value})
    assert answer.status == 400
    line = answer.message.splitlines()[-1]
    assert line.startswith("Error: row 2: ")
    assert told in line


def test_pairs_need_both(of_pairs: RegisteredVersion) -> None:
    loaded = mlflow.pyfunc.load_model(of_pairs.uri)
    table = pd.DataFrame({"text": ["warm", "cold"], "text_pair": ["warm", "a"]})
    assert loaded.predict(table)["label"].tolist() == ["warm", "cold"]
    for column in ("text", "text_pair"):
        broken = table.astype(object)
        broken.loc[1, column] = None
        with pytest.raises(ValueError, match=f"row 2: '{column}' holds nothing"):
            loaded.predict(broken)
    with pytest.raises(ValueError, match="row 2: one text of the pair is missing"):
        loaded.predict({"text": ["warm", "cold"], "text_pair": ["warm"]})


def test_texts_asked_by_hand(of_texts: RegisteredVersion) -> None:
    found = tracking.predict(of_texts.uri, ["", "warm 🔥", "x" * _LONG, "שלום"])
    assert [row["probability"] > 0.9 for row in found] == [False, True, False, False]
    undecodable = b"warm \xff".decode("utf-8", "surrogateescape")  # as an argument comes
    with pytest.raises(UserError, match="text 2 is not UTF-8") as refused:
        tracking.predict(of_texts.uri, ["warm", undecodable])
    assert "\n" not in str(refused.value)
