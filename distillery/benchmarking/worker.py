"""One engine in one process: ``python -m distillery.benchmarking.worker``.

A command is one line of JSON on stdin (``{"do": name, **arguments}``), its answer one line on
stdout. Between commands the process is blocked in a read, so that whoever's turn it is runs alone.
It ends with its stdin: no worker outlives its driver.
"""

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from threading import get_native_id
from time import perf_counter_ns, sleep
from typing import Any, TextIO

from distillery.runtimes import images
from distillery.runtimes.base import Engine, Example
from distillery.runtimes.opening import open_engine

_NS_PER_MS = 1e6
_WARM_UP_BLOCK = 20
_WARM_UP_TOLERANCE = 0.05
_WARM_UP_MOST = 400
# the engine before has filled the caches and put this one's threads to sleep, which no lone
# server sees: a turn starts with a few requests that don't count
_WAKE_UP = 5
# a thread pool spins on after its last task, on a core that is the next engine's by then: ONNX
# Runtime's default is a number of pauses, 3 to 500 ms by CPU (onnxruntime#27916)
_REST_LOOK_SECONDS = 0.001
_REST_MOST_SECONDS = 1.0


class Worker:
    """The commands. Each public method is one, and returns what is answered."""

    def __init__(self) -> None:
        self._texts: list[Example] = []
        self._warm_rows: list[int] = []
        self._engine: Engine | None = None

    def prepare(self, *, folder: str, runtime: str, threads: int, texts: str) -> dict[str, Any]:
        """Read the texts or images, and open the engine once to drop it again.

        Runtimes import most of themselves when the first model is opened; the opening that is
        timed must not count that. This one may run beside others.
        """
        if texts.endswith(".npy"):
            self._texts = list(images.read(Path(texts)))
        else:
            rows = json.loads(Path(texts).read_text(encoding="utf-8"))
            self._texts = [row if isinstance(row, str) else (row[0], row[1]) for row in rows]
        open_engine(Path(folder), runtime, threads=threads)
        gc.collect()
        return {}

    def open(self, *, folder: str, runtime: str, threads: int, row: int) -> dict[str, Any]:
        """Milliseconds to open model and tokenizer, and then to answer the first request."""
        started = perf_counter_ns()
        self._engine = open_engine(Path(folder), runtime, threads=threads)
        load_ms = (perf_counter_ns() - started) / _NS_PER_MS
        first_ms, _ = self._time_one(row)
        return {"load_ms": load_ms, "first_prediction_ms": first_ms}

    def warm_up(self, *, rows: list[int]) -> dict[str, Any]:
        """Ask until two successive blocks' medians agree; how many requests that took.

        Every block asks the same rows: only time may make a difference, not the texts.
        """
        self._warm_rows = rows[:_WARM_UP_BLOCK]
        before, requests = 0.0, 0
        while requests + _WARM_UP_BLOCK <= _WARM_UP_MOST:
            block = [self._warm_rows[i % len(self._warm_rows)] for i in range(_WARM_UP_BLOCK)]
            now = median(self._time_one(row)[0] for row in block)
            requests += _WARM_UP_BLOCK
            if abs(now - before) <= _WARM_UP_TOLERANCE * min(now, before):
                break
            before = now
        return {"requests": requests}

    def single(self, *, rows: list[int]) -> dict[str, Any]:
        """One request a row: milliseconds end to end, and of the model alone."""
        for row in self._warm_rows[:_WAKE_UP]:
            self._time_one(row)
        times = [self._time_one(row) for row in rows]
        return {"end_to_end_ms": [both for both, _ in times], "model_ms": [m for _, m in times]}

    def offline(self, *, batches: list[list[int]]) -> dict[str, Any]:
        """Rows a second of each batch, tokenization included."""
        for row in self._warm_rows[:_WAKE_UP]:
            self._time_one(row)
        return {"rows_per_second": [self._rate(batch) for batch in batches]}

    def status(self) -> dict[str, Any]:
        """The most memory this process ever held in RAM, in bytes."""
        return {"peak_memory_bytes": peak_memory_bytes()}

    def _time_one(self, row: int) -> tuple[float, float]:
        """Milliseconds (end to end, model alone) of one request."""
        engine, texts = self._opened, [self._texts[row]]
        started = perf_counter_ns()
        encoded = engine.encode(texts)
        tokenized = perf_counter_ns()
        engine.logits(encoded)
        ended = perf_counter_ns()
        return (ended - started) / _NS_PER_MS, (ended - tokenized) / _NS_PER_MS

    def _rate(self, batch: Sequence[int]) -> float:
        engine, texts = self._opened, [self._texts[row] for row in batch]
        started = perf_counter_ns()
        engine.logits(engine.encode(texts))
        return len(batch) * 1e9 / (perf_counter_ns() - started)

    @property
    def _opened(self) -> Engine:
        assert self._engine is not None, "open comes before any prediction"
        return self._engine


def peak_memory_bytes() -> int:
    """This process's peak resident set, in bytes."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    # only where /proc is missing: on Linux ru_maxrss starts with the parent's own peak
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def rest() -> None:
    """Return once this process's threads sleep, so that its turn ends when it says so."""
    for _ in range(round(_REST_MOST_SECONDS / _REST_LOOK_SECONDS)):
        sleep(_REST_LOOK_SECONDS)
        if not _another_thread_runs():
            return


def _another_thread_runs() -> bool:
    """By the state Linux gives each thread, for a spinning one may itself be waiting for a core.

    Without /proc nothing is known, and nothing waited for.
    """
    own = str(get_native_id())
    for task in Path("/proc/self/task").glob("*"):
        if task.name == own:
            continue
        try:
            # "tid (name) state ...", where the name may hold anything
            state = (task / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        except OSError:  # it has ended
            continue
        if state == "R":
            return True
    return False


def serve(commands: TextIO, answers: TextIO) -> int:
    """Answer until the commands end (0) or one fails (1)."""
    worker = Worker()
    known: dict[str, Callable[..., dict[str, Any]]] = {
        "prepare": worker.prepare,
        "open": worker.open,
        "warm_up": worker.warm_up,
        "single": worker.single,
        "offline": worker.offline,
        "status": worker.status,
    }
    # readline, for iterating would read ahead
    while line := commands.readline():
        command = json.loads(line)
        try:
            answer = known[command.pop("do")](**command)
            rest()
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if "error" in answer:
            return 1
    return 0


def main() -> int:
    """Keep stdout for the protocol: what libraries print, from C too, goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return serve(sys.stdin, answers)


if __name__ == "__main__":
    sys.exit(main())
