"""Registered models behind MLflow's scoring server, each started once for all tests here."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnx
import pytest
from factories import make_candidate
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from distillery import storage, tracking
from distillery.nouns import RegisteredVersion
from distillery.runtimes.base import Card

LABELS = ("cold", "warm")
SIDE = 8
LONGEST = 32

_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "cold", "warm", *"abcdefghijklmnopqrstuvwxyz"]


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    body: Any

    @property
    def message(self) -> str:
        """The line for whoever asked."""
        return str(self.body["message"])


@dataclass(frozen=True)
class Server:
    """One model behind a port of this machine."""

    port: int
    process: "subprocess.Popen[bytes]"

    def post(self, body: bytes, content_type: str = "application/json") -> Answer:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/invocations", body, {"Content-Type": content_type}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, json.load(response))
        except urllib.error.HTTPError as error:
            said = error.read()
            try:
                return Answer(error.code, json.loads(said))
            except ValueError:
                return Answer(error.code, {"message": said.decode("utf-8", "replace")})

    def ask(self, *rows: dict[str, Any]) -> Answer:
        return self.post(json.dumps({"dataframe_records": rows}).encode())


@contextmanager
def _served(version: RegisteredVersion, work: Path) -> Iterator[Server]:
    folder = mlflow.artifacts.download_artifacts(version.uri, dst_path=str(work / "model"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scripts = str(Path(sys.executable).parent)
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(f"{scripts}/mlflow", "models", "serve", "--env-manager", "local"),
                *("--model-uri", folder, "--host", "127.0.0.1", "--port", str(port)),
            ],
            env={**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"},
            cwd=work,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=30).close()
                break
            except OSError:
                assert time.monotonic() < until, "the server did not answer"
                assert process.poll() is None, (work / "log").read_text()[-2000:]
                time.sleep(0.2)
        yield Server(port, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="package")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A storage of these tests' own."""
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLERY_STORAGE", str(folder / "storage"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        tracking.connect()
        tracking.open_flow_run("recipe", "flow", {})
        yield folder


def _registered(name: str, graph: onnx.ModelProto, **card: Any) -> RegisteredVersion:
    with storage.new_folder() as folder:
        onnx.save(graph, folder / "model.onnx")
        fields = {"max_length": LONGEST, "is_pair": False, "pad_token_id": 0}
        Card(**{"name": name, "label_names": LABELS} | fields | card).write(folder)
        if card.get("kind") != "image":
            _tokenizer().save(str(folder / "tokenizer.json"))
        artifact = storage.put(folder, "candidate")
    candidate = make_candidate(name, artifact=artifact, label_names=LABELS)
    with tracking.step_run("flow", f"register-{name}") as step:
        return tracking.register(candidate, model=name, tags={}, step=step)


def _tokenizer() -> Tokenizer:
    words = Tokenizer(WordPiece({word: i for i, word in enumerate(_WORDS)}, unk_token="[UNK]"))
    words.normalizer = BertNormalizer()
    words.pre_tokenizer = BertPreTokenizer()
    words.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return words


def _graph(
    nodes: list[onnx.NodeProto], given: Any, tensors: dict[str, "np.ndarray[Any, Any]"]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "model",
        [given],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", len(LABELS)])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def _of_texts() -> onnx.ModelProto:
    """Warm where a text says warm more often than cold."""
    table = np.zeros((len(_WORDS), len(LABELS)), dtype=np.float32)
    table[_WORDS.index("cold"), 0] = table[_WORDS.index("warm"), 1] = 5
    return _graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
            helper.make_node("ReduceSum", ["embedded", "axes"], ["logits"], keepdims=0),
        ],
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "S"]),
        {"table": table, "axes": np.array([1])},
    )


def _of_images() -> onnx.ModelProto:
    """Warm where more is white than black."""
    weights = np.repeat([[-1.0, 1.0]], SIDE * SIDE, axis=0).astype(np.float32) / 1000
    return _graph(
        [
            helper.make_node("Cast", ["pixel_values"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["numbers", "grey"], ["centred"]),
            helper.make_node("Flatten", ["centred"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        helper.make_tensor_value_info("pixel_values", TensorProto.UINT8, ["B", 1, SIDE, SIDE]),
        {"weights": weights, "grey": np.array(127.5, dtype=np.float32)},
    )


@pytest.fixture(scope="package")
def of_texts(registry: Path) -> RegisteredVersion:
    return _registered("texts", _of_texts())


@pytest.fixture(scope="package")
def of_pairs(registry: Path) -> RegisteredVersion:
    return _registered("pairs", _of_texts(), is_pair=True)


@pytest.fixture(scope="package")
def of_images(registry: Path) -> RegisteredVersion:
    return _registered("images", _of_images(), kind="image", image_shape=(SIDE, SIDE, 1))


@pytest.fixture(scope="package")
def texts(
    of_texts: RegisteredVersion, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with _served(of_texts, tmp_path_factory.mktemp("texts")) as server:
        yield server


@pytest.fixture(scope="package")
def images(
    of_images: RegisteredVersion, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with _served(of_images, tmp_path_factory.mktemp("images")) as server:
        yield server
