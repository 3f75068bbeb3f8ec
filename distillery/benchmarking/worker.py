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
from time import monotonic_ns, perf_counter_ns, sleep
from typing import Any, TextIO

from distillery.benchmarking.padding import encoded
from distillery.benchmarking.pinning import pinned_to
from distillery.benchmarking.server import replay
from distillery.measurements import Padding
from distillery.runtimes import images
from distillery.runtimes.base import Device, Engine, Example
from distillery.runtimes.opening import open_engine

_NS_PER_MS = 1e6
_MS_PER_S = 1000
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

    def read(self, *, texts: str) -> dict[str, Any]:
        """Read the texts or images."""
        if texts.endswith(".npy"):
            self._texts = list(images.read(Path(texts)))
        else:
            rows = json.loads(Path(texts).read_text(encoding="utf-8"))
            self._texts = [row if isinstance(row, str) else (row[0], row[1]) for row in rows]
        return {}

    def rehearse(
        self, *, folder: str, runtime: str, device: Device, threads: int
    ) -> dict[str, Any]:
        """Open the engine once to drop it again.

        Runtimes import most of themselves when the first model is opened; the opening that is
        timed must not count that, but for a cold start. This one may run beside others.
        """
        open_engine(Path(folder), runtime, device=device, threads=threads)
        gc.collect()
        return {}

    def open(
        self, *, folder: str, runtime: str, device: Device, threads: int, row: int
    ) -> dict[str, Any]:
        """Milliseconds to open model and tokenizer, and then to answer the first request.

        ``ended_ns`` is on the clock that all processes of this machine share.
        """
        started = perf_counter_ns()
        self._engine = open_engine(Path(folder), runtime, device=device, threads=threads)
        load_ms = (perf_counter_ns() - started) / _NS_PER_MS
        first_ms, _ = self._time([row], "longest_of_batch")
        return {
            "load_ms": load_ms,
            "first_prediction_ms": first_ms,
            "ended_ns": monotonic_ns(),
        }

    def warm_up(self, *, rows: list[int], padding: Padding) -> dict[str, Any]:
        """Ask until two successive blocks' medians agree; how many requests that took.

        Every block asks the same rows: only time may make a difference, not the texts.
        """
        self._warm_rows = rows[:_WARM_UP_BLOCK]
        before, requests = 0.0, 0
        while requests + _WARM_UP_BLOCK <= _WARM_UP_MOST:
            block = [self._warm_rows[i % len(self._warm_rows)] for i in range(_WARM_UP_BLOCK)]
            now = median(self._time([row], padding)[0] for row in block)
            requests += _WARM_UP_BLOCK
            if abs(now - before) <= _WARM_UP_TOLERANCE * min(now, before):
                break
            before = now
        return {"requests": requests}

    def single(self, *, rows: list[int], padding: Padding) -> dict[str, Any]:
        """One request a row: milliseconds end to end, and of the model alone."""
        self._wake_up(padding)
        times = [self._time([row], padding) for row in rows]
        return {"end_to_end_ms": [both for both, _ in times], "model_ms": [m for _, m in times]}

    def model_only(self, *, rows: list[int], padding: Padding) -> dict[str, Any]:
        """One request a row, all encoded before the first: milliseconds of the model."""
        engine = self._opened
        inputs = [encoded(engine, [self._texts[row]], padding) for row in rows]
        self._wake_up(padding)
        times_ms = []
        for one in inputs:
            started = perf_counter_ns()
            for batch in one:
                engine.logits(batch)
            times_ms.append((perf_counter_ns() - started) / _NS_PER_MS)
        return {"model_ms": times_ms}

    def offline(self, *, batches: list[list[int]], padding: Padding) -> dict[str, Any]:
        """Rows a second of each batch, end to end, and of the model alone."""
        self._wake_up(padding)
        times = [(len(batch) * _MS_PER_S, self._time(batch, padding)) for batch in batches]
        return {
            "rows_per_second": [rows / both for rows, (both, _) in times],
            "model_rows_per_second": [rows / model for rows, (_, model) in times],
        }

    def serve(
        self, *, rows: list[int], due_seconds: list[float], padding: Padding
    ) -> dict[str, Any]:
        """Request i no sooner than it is due: milliseconds from then, waiting included."""
        self._wake_up(padding)
        latencies_ms = replay(due_seconds, lambda i: self._time([rows[i]], padding))
        return {"latencies_ms": latencies_ms}

    def status(self) -> dict[str, Any]:
        """The most memory this process ever held in RAM, in bytes, and the CPUs it may use."""
        return {"peak_memory_bytes": peak_memory_bytes(), "cpus": pinned_to()}

    def _wake_up(self, padding: Padding) -> None:
        for row in self._warm_rows[:_WAKE_UP]:
            self._time([row], padding)

    def _time(self, rows: Sequence[int], padding: Padding) -> tuple[float, float]:
        """Milliseconds (end to end, model alone) of one request, or of one batch."""
        engine, texts = self._opened, [self._texts[row] for row in rows]
        started = perf_counter_ns()
        inputs = encoded(engine, texts, padding)
        tokenized = perf_counter_ns()
        for one in inputs:
            engine.logits(one)
        ended = perf_counter_ns()
        return (ended - started) / _NS_PER_MS, (ended - tokenized) / _NS_PER_MS

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
        "read": worker.read,
        "rehearse": worker.rehearse,
        "open": worker.open,
        "warm_up": worker.warm_up,
        "single": worker.single,
        "model_only": worker.model_only,
        "offline": worker.offline,
        "serve": worker.serve,
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
