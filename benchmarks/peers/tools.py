"""The peers: each makes one int8 graph of a checkpoint, in a virtual environment of its own."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks import environments
from distillery import digests, storage

HERE = Path(__file__).resolve().parent

_TOLD = ("torch", "transformers", "onnx", "onnxruntime", "optimum", "optimum-onnx", "olive-ai")


class PeerError(Exception):
    """A peer could not make its graph; the message is its own last line."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A script in ``makers/``, what it is told, and the environment it runs in."""

    name: str
    maker: str
    options: tuple[str, ...] = ()

    @property
    def script(self) -> Path:
        """``python SCRIPT CHECKPOINT OUT *OPTIONS`` leaves ``OUT/model.onnx``."""
        return HERE / "makers" / f"{self.maker}.py"

    @property
    def requirements(self) -> Path:
        """Every package pinned."""
        return HERE / "requirements" / f"{self.maker}.txt"


TOOLS = (
    Tool(name="torch + quantize_dynamic", maker="plain"),
    Tool(name="optimum-onnx", maker="optimum_onnx"),
    Tool(name="optimum-onnx, optimized", maker="optimum_onnx", options=("O2",)),
    Tool(name="Olive", maker="olive_int8"),
    Tool(name="Olive, per channel", maker="olive_int8", options=("per_channel",)),
)


def made(tool: Tool, checkpoint: Path) -> Path:
    """The folder with the tool's ``model.onnx`` and the checkpoint's tokenizer; tried once.

    Raises ``PeerError`` where the tool failed.
    """
    parts = [tool.options, *map(digests.of_file, (tool.script, tool.requirements))]
    key = digests.of_json([*parts, digests.of_folder(checkpoint)])[:16]
    place = storage.root() / "peers" / "models" / f"{tool.maker}-{key}"
    failure = place / "failure.txt"
    if failure.is_file():
        raise PeerError(failure.read_text(encoding="utf-8"))
    if (place / "model.onnx").is_file():
        return place
    _say(f"{tool.name}: {checkpoint.name}")
    with storage.new_folder() as folder:
        process = subprocess.run(
            [environment(tool), tool.script, checkpoint, folder, *tool.options],
            env={**os.environ, "CI": "1"},  # Olive sends no telemetry from there
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        place.mkdir(parents=True, exist_ok=True)
        if process.returncode != 0 or not (folder / "model.onnx").is_file():
            said = process.stderr.strip().splitlines() or ["it wrote nothing to stderr"]
            failure.write_text(said[-1], encoding="utf-8")
            raise PeerError(said[-1])
        shutil.copyfile(checkpoint / "tokenizer.json", place / "tokenizer.json")
        # last, since it says that the rest is there
        os.replace(folder / "model.onnx", place / "model.onnx")
    return place


def environment(tool: Tool) -> Path:
    """The Python of its virtual environment."""
    return environments.python_of(tool.requirements, tool.maker)


def versions(tool: Tool) -> dict[str, str]:
    """Package → version in its environment, of those that make the graph."""
    return environments.versions(environment(tool), _TOLD)


def _say(line: str) -> None:
    sys.stderr.write(f"peers: {line}\n")
