"""No network is told in seconds, with nothing else between the user and that line."""

import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

_ASK = """
import sys, time
import datasets
from transformers import AutoConfig, AutoTokenizer
from distillery.data import sources
from distillery.errors import UserError
from distillery.recipe import Data
from distillery.teachers import hub

asks = [
    lambda: hub.config_of("google-bert/bert-base-uncased"),
    lambda: hub.tokenizer_of("google-bert/bert-base-uncased"),
    lambda: sources.load_source(Data(source="clinc/clinc_oos", config="plus")),
]
started = time.monotonic()
for ask in asks:
    try:
        ask()
    except UserError as error:
        print(error)
print(time.monotonic() - started)
"""


def _environment(folder: Path, endpoint: str) -> dict[str, str]:
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(folder / "home"),
        "HF_ENDPOINT": endpoint,
        "DISTILLERY_STORAGE": str(folder / "storage"),
    }


def test_a_hub_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        env=_environment(tmp_path, "http://127.0.0.1:9"),
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, seconds = done.stdout.splitlines()
    assert len(lines) == 3
    assert "cannot reach 'google-bert/bert-base-uncased': http://127.0.0.1:9 does not" in lines[0]
    assert "cannot reach data set 'clinc/clinc_oos'" in lines[2]
    assert all("check the name and the network" in line for line in lines)
    assert float(seconds) < 30  # three pauses of a second; by the client itself it were 97


class _Slow(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        time.sleep(3)
        self.send_error(503)


def test_a_slow_answer_is_an_answer(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Slow)
    Thread(target=server.serve_forever, daemon=True).start()
    program = (
        'from distillery.data.asking_hub import ask_hub; ask_hub("a/b", "config.json", "model")'
    )
    subprocess.run(
        [sys.executable, "-c", program],
        env=_environment(tmp_path, f"http://127.0.0.1:{server.server_port}"),
        check=True,
    )
    server.shutdown()


def test_offline_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from distillery.data.asking_hub import ask_hub

    ask_hub("nobody/nothing", "config.json", "model")  # the tests' own setting
