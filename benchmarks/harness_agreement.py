"""Whether distillery's timing loop says what other tools' loops say of the same graph and inputs.

    python -m benchmarks.harness_agreement MODEL... --texts TEXTS.parquet [--threads 1]

MODEL is an ONNX candidate's folder (``model.onnx``, ``tokenizer.json``, ``candidate.json``). Timed
is the model alone, tokens in and logits out, in processes that take turns in random order, each
over the same texts in the same round, all blocked but one; sessions have equal options:

- distillery: the worker that ``distillery benchmark`` drives, tokens made before the first request,
  and a second such process, which shows how far equal processes differ;
- distillery, within requests: the model's part of requests that tokenize first, as it reports it;
- onnxruntime: the loop and session of its ``bert_perf_test``, from its own wheel;
- optimum-benchmark, session: the loop of its inference scenario around its backend's session;
- optimum-benchmark: the same as it comes, with optimum's ORTModel around that session.

Ratios are of medians, to distillery's, with the 99 % interval of ``distillery.benchmarking``; two
loops agree where it holds 1. Results go to ``harnesses/results/``.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow.parquet
from pydantic import Field

from benchmarks import environments
from distillery import digests
from distillery.benchmarking.fingerprint import fingerprint
from distillery.benchmarking.noise import look, noise
from distillery.benchmarking.percentiles import bootstrap_ratio_interval, percentile
from distillery.benchmarking.plan import Entry
from distillery.benchmarking.process import WorkerProcess
from distillery.benchmarking.rounds import draw
from distillery.measurements import Fingerprint, Noise
from distillery.noun import Noun
from distillery.provenance import code_version
from distillery.runtimes.base import Card, encoder_of

HERE = Path(__file__).resolve().parent / "harnesses"

_PER_TURN = 50
_WARM_UP_TURNS = 2
_TOLD = ("onnxruntime", "optimum", "optimum-onnx", "optimum-benchmark", "torch", "numpy")
# name, module, what it is told after GRAPH and THREADS
_OTHERS = (
    ("onnxruntime bert_perf_test", "onnxruntime_loop", ()),
    ("optimum-benchmark, session", "optimum_loop", ("session",)),
    ("optimum-benchmark", "optimum_loop", ()),
)

# name, what the worker is asked
_OURS = (
    ("distillery", "model_only"),
    ("distillery, a second process", "model_only"),
    ("distillery, within requests", "single"),
)

Turn = Callable[[Sequence[int]], list[float]]
"""Milliseconds of the model alone, of each of these texts."""


class Row(Noun):
    """One harness's word on one model."""

    harness: str
    p50_ms: float = Field(description="Bounds of 99 %, by order statistics.")
    p50_low_ms: float
    p50_high_ms: float
    ratio: float = Field(description="Of the medians, to distillery's.")
    interval_low: float = Field(description="99 %, paired block bootstrap.")
    interval_high: float

    @property
    def agrees(self) -> bool:
        """Whether the interval holds 1."""
        return self.interval_low <= 1 <= self.interval_high


class Model(Noun):
    """One graph, timed by all."""

    name: str
    digest: str
    rows: tuple[Row, ...] = Field(description="distillery's first.")
    noise: Noise


class Agreement(Noun):
    """One run of the comparison."""

    started_at: str = Field(description="ISO 8601, UTC.")
    code_version: str
    fingerprint: Fingerprint
    threads: int
    requests: int
    versions: dict[str, str] = Field(description="Of the other tools' environment.")
    models: tuple[Model, ...]


def main() -> None:
    """Measure, write, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--column", default="text")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20, help=f"Of {_PER_TURN} requests each.")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    asked = parser.parse_args()

    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    texts = pyarrow.parquet.read_table(asked.texts)[asked.column].to_pylist()
    python = environments.python_of(HERE / "requirements.txt", "harnesses")
    found = Agreement(
        started_at=started_at,
        code_version=code_version(),
        fingerprint=fingerprint(),
        threads=asked.threads,
        requests=asked.rounds * _PER_TURN,
        versions=environments.versions(python, _TOLD),
        models=tuple(
            _model(folder, texts, asked.threads, asked.rounds, python) for folder in asked.models
        ),
    )
    asked.results.mkdir(parents=True, exist_ok=True)
    name = f"threads-{found.threads}-{found.fingerprint.digest}"
    for ending, document in (
        ("json", found.model_dump_json(indent=1) + "\n"),
        ("md", as_markdown(found)),
    ):
        (asked.results / f"{name}.{ending}").write_text(document, encoding="utf-8")
    print(as_markdown(found))


def _model(folder: Path, texts: Sequence[str], threads: int, rounds: int, python: Path) -> Model:
    rng = np.random.default_rng(0)
    encode = encoder_of(folder, Card.read(folder))
    inputs = [{name: array.tolist() for name, array in encode([text]).items()} for text in texts]
    entry = Entry(name=folder.name, digest="", folder=folder, runtime="onnxruntime")
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agreement-")))
        texts_file = work / "texts.json"
        texts_file.write_text(json.dumps(texts), encoding="utf-8")
        turns = {
            name: _ours(stack, command, entry, threads, texts_file, work / name)
            for name, command in _OURS
        }
        for name, module, options in _OTHERS:
            graph = (folder / "model.onnx").absolute()
            command = [python, "-m", f"benchmarks.harnesses.{module}", graph, threads, *options]
            turns[name] = _other(stack, [*map(str, command)], inputs, work / name)
        times: dict[str, list[float]] = {name: [] for name in turns}
        for turn in turns.values():
            for _ in range(_WARM_UP_TURNS):
                turn(draw(rng, len(texts), _PER_TURN).tolist())
        looks = [look()]
        names = list(turns)
        for i in range(rounds):
            rows = draw(rng, len(texts), _PER_TURN).tolist()
            for which in rng.permutation(len(names)):
                times[names[which]] += turns[names[which]](rows)
            if i % 5 == 4:
                looks.append(look())
    return Model(
        name=folder.name,
        digest=digests.of_file(folder / "model.onnx"),
        rows=tuple(_row(name, times[name], times["distillery"]) for name in names),
        noise=noise(looks),
    )


def _ours(
    stack: ExitStack, command: str, entry: Entry, threads: int, texts: Path, stderr: Path
) -> Turn:
    worker = stack.enter_context(WorkerProcess(entry, threads, stderr))
    worker.ask("read", texts=str(texts))
    worker.ask("open", **worker.opening, row=0)
    worker.ask("warm_up", rows=list(range(_PER_TURN)), padding="longest_of_batch")

    def turn(rows: Sequence[int]) -> list[float]:
        found: list[float] = worker.ask(command, rows=rows, padding="longest_of_batch")["model_ms"]
        return found

    return turn


def _other(stack: ExitStack, command: Sequence[str], inputs: Sequence[Any], stderr: Path) -> Turn:
    with stderr.open("wb") as last_words:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=last_words,
            cwd=HERE.parents[1],
            encoding="utf-8",
        )
    stack.enter_context(process)
    stack.callback(process.kill)
    assert process.stdin is not None
    assert process.stdout is not None
    to, answers = process.stdin, process.stdout

    def say(value: object) -> None:
        to.write(json.dumps(value) + "\n")
        to.flush()

    with suppress(BrokenPipeError):  # the first turn tells why
        say(inputs)

    def turn(rows: Sequence[int]) -> list[float]:
        with suppress(BrokenPipeError):
            say(rows)
        line = answers.readline()
        if not line:
            raise SystemExit(f"{' '.join(command)} died:\n{stderr.read_text()[-2000:]}")
        found: list[float] = json.loads(line)
        return found

    return turn


def _row(harness: str, times: Sequence[float], ours: Sequence[float]) -> Row:
    p50 = percentile(times, 0.50)
    assert p50 is not None, "a turn alone has enough samples"
    low, high = bootstrap_ratio_interval(times, ours, seed=0)
    return Row(
        harness=harness,
        p50_ms=p50.value,
        p50_low_ms=p50.low,
        p50_high_ms=p50.high,
        ratio=median(times) / median(ours),
        interval_low=low,
        interval_high=high,
    )


def as_markdown(found: Agreement) -> str:
    """One table a model."""
    place = found.fingerprint
    threads = "1 thread" if found.threads == 1 else f"{found.threads} threads"
    lines = [
        f"# {threads}, {place.cpu_model}, {found.started_at[:10]}",
        "",
        f"{place.os}; Python {place.python}; onnxruntime {place.runtimes['onnxruntime']}; code "
        f"{found.code_version}; {found.requests} requests. The others' environment: "
        + ", ".join(f"{name} {version}" for name, version in found.versions.items()),
    ]
    for model in found.models:
        lines += [
            "",
            f"## {model.name}",
            "",
            "| harness | p50, model alone (99 % bounds) | to distillery's (99 %) | agrees |",
            "|:--|--:|--:|:--|",
        ]
        for row in model.rows:
            p50 = f"{row.p50_ms:.4f} ms ({row.p50_low_ms:.4f} to {row.p50_high_ms:.4f})"
            ratio = f"{row.ratio:.3f} ({row.interval_low:.3f} to {row.interval_high:.3f})"
            cells = (row.harness, p50, ratio, "yes" if row.agrees else "no")
            if row is model.rows[0]:
                cells = (row.harness, p50, "1", "")
            lines.append(f"| {' | '.join(cells)} |")
        lines += [f"- noisy: {why}" for why in model.noise.reasons]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
