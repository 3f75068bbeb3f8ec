"""Measures engines against each other: one process each, in turns, never two at once.

Sequential runs of equal graphs have differed twofold, so rounds are interleaved in random order and
every engine answers the same texts in the same round. This process only waits, blocked in a read:
a parent that polls has been seen to add two thirds to a median.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from distillery.benchmarking.fingerprint import available_cores, fingerprint
from distillery.errors import BenchmarkProcessError
from distillery.nouns import Measurement, Noun, Scenario
from distillery.runtimes import images
from distillery.runtimes.base import Example, Text
from distillery.runtimes.images import Image

Progress = Callable[[str], None]

# the folder that holds the package, installed or unpacked: `-m` finds it from here
PACKAGE_ROOT = Path(__file__).resolve().parents[2]

_LAST_WORDS_LINES = 8
_WARM_UP_ROWS = 20
_SILENT_SECONDS = 5
_PROC_STAT = Path("/proc/stat")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A candidate to measure: a local folder, and the runtime that opens it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    digest: str
    folder: Path
    runtime: str


class Plan(Noun):
    """All that one benchmark needs, as the quiet process reads it."""

    entries: tuple[Entry, ...] = Field(min_length=1)
    texts: tuple[Text, ...] = ()
    images: Path | None = Field(default=None, description="A .npy file, instead of texts.")
    scenario: Scenario
    threads: int = Field(ge=0, description="0 means one a physical core.")
    target: str

    @property
    def examples(self) -> Sequence[Example]:
        """Whichever it names."""
        return self.texts if self.images is None else images.read(self.images)

    @model_validator(mode="after")
    def _has_examples(self) -> "Plan":
        if bool(self.texts) == (self.images is not None):
            raise ValueError("give texts or a file of images, one of the two")
        return self


@dataclass
class _Samples:
    """What one engine has shown so far."""

    load_ms: float = 0.0
    first_prediction_ms: float = 0.0
    warmup_requests: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    model_latencies_ms: list[float] = field(default_factory=list)
    offline_rows_per_second: list[float] = field(default_factory=list)
    peak_memory_bytes: int = 0


def measure(
    entries: Sequence[Entry],
    texts: Sequence[Example],
    scenario: Scenario,
    threads: int,
    target_name: str,
    progress: Progress | None = None,
) -> list[Measurement]:
    """One measurement an entry, in their order.

    ``texts`` are real inputs (or images), from which the same random ones go to every engine:
    sample i of one measurement and sample i of another answer the same text in the same round.
    ``threads`` are intra-op threads for each engine; 0 means one a physical core, and what it came
    to is recorded.

    Raises ``BenchmarkProcessError`` where a worker dies or cannot open its candidate, and
    ``ValueError`` where there is nothing to measure. No process is left behind either way.
    """
    if not entries or not texts:
        raise ValueError("a benchmark needs at least one entry and one text")
    say = progress or (lambda line: None)
    threads = threads or available_cores()
    place = fingerprint()
    rng = np.random.default_rng(scenario.seed)
    samples = [_Samples() for _ in entries]
    warm_rows = _draw(rng, len(texts), _WARM_UP_ROWS).tolist()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        texts_file = _written(texts, work)
        say(f"starting {len(entries)} engines, {threads} threads each")
        workers = [
            stack.enter_context(_Worker(entry, threads, work / f"stderr-{i}"))
            for i, entry in enumerate(entries)
        ]
        for worker in workers:  # all at once: nothing is timed yet
            worker.send("prepare", **worker.opening, texts=str(texts_file))
        for worker in workers:
            worker.receive()
        for worker, found in zip(workers, samples, strict=True):
            opened = worker.ask("open", **worker.opening, row=warm_rows[0])
            found.load_ms = opened["load_ms"]
            found.first_prediction_ms = opened["first_prediction_ms"]
        for worker, found in zip(workers, samples, strict=True):
            found.warmup_requests = worker.ask("warm_up", rows=warm_rows)["requests"]

        steal_before = _steal_and_all_ticks()
        say(f"timing {scenario.requests} single requests in {scenario.rounds} rounds")
        _single(workers, samples, scenario, len(texts), rng, say)
        say(f"timing {scenario.offline_batches} batches of {scenario.offline_batch_size}")
        _offline(workers, samples, scenario, len(texts), rng, say)
        steal_share = _share(steal_before, _steal_and_all_ticks())
        for worker, found in zip(workers, samples, strict=True):
            found.peak_memory_bytes = worker.ask("status")["peak_memory_bytes"]
    return [
        Measurement(
            candidate_name=entry.name,
            candidate_digest=entry.digest,
            target=target_name,
            fingerprint=place,
            threads=threads,
            latencies_ms=tuple(found.latencies_ms),
            model_latencies_ms=tuple(found.model_latencies_ms),
            offline_rows_per_second=tuple(found.offline_rows_per_second),
            load_ms=found.load_ms,
            first_prediction_ms=found.first_prediction_ms,
            peak_memory_bytes=found.peak_memory_bytes,
            warmup_requests=found.warmup_requests,
            steal_share=steal_share,
        )
        for entry, found in zip(entries, samples, strict=True)
    ]


def _written(examples: Sequence[Example], work: Path) -> Path:
    """The file that every worker reads them from."""
    pixels = [example for example in examples if isinstance(example, Image)]
    if pixels:
        images.write(pixels, work / "images.npy")
        return work / "images.npy"
    (work / "texts.json").write_text(json.dumps(list(examples)), encoding="utf-8")
    return work / "texts.json"


class _Worker:
    """The driver's end of one worker process; leaving the context ends the process."""

    def __init__(self, entry: Entry, threads: int, stderr: Path) -> None:
        self.entry = entry
        self.opening = {
            "folder": str(entry.folder.absolute()),
            "runtime": entry.runtime,
            "threads": threads,
        }
        self._stderr = stderr
        with stderr.open("wb") as last_words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "distillery.benchmarking.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=last_words,
                cwd=PACKAGE_ROOT,
                env=_environment(threads),
                encoding="utf-8",
            )

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # nothing is left in it to lose, and an orderly exit of torch takes a while
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):  # it died before it had read all
                stream.close()

    def send(self, command: str, **arguments: object) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._died() from error

    def receive(self) -> dict[str, Any]:
        """Block until the answer is there."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._died()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkProcessError(
                f"{self.entry.name} ({self.entry.runtime}) failed: {answer['error']}"
            )
        return answer

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        self.send(command, **arguments)
        return self.receive()

    def _died(self) -> BenchmarkProcessError:
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        lines = self._stderr.read_text(encoding="utf-8", errors="replace").splitlines()
        last = "\n".join(lines[-_LAST_WORDS_LINES:]) or "(it wrote nothing to stderr)"
        return BenchmarkProcessError(
            f"the process of {self.entry.name} ({self.entry.runtime}) died, {how}:\n{last}"
        )


def _single(
    workers: Sequence[_Worker],
    samples: Sequence[_Samples],
    scenario: Scenario,
    texts: int,
    rng: np.random.Generator,
    say: Progress,
) -> None:
    rows = _draw(rng, texts, scenario.requests)
    for of_round in told(np.array_split(rows, min(scenario.rounds, len(rows))), say):
        for i in rng.permutation(len(workers)):
            answer = workers[i].ask("single", rows=of_round.tolist())
            samples[i].latencies_ms += answer["end_to_end_ms"]
            samples[i].model_latencies_ms += answer["model_ms"]


def _offline(
    workers: Sequence[_Worker],
    samples: Sequence[_Samples],
    scenario: Scenario,
    texts: int,
    rng: np.random.Generator,
    say: Progress,
) -> None:
    batches = _draw(rng, texts, scenario.offline_batches * scenario.offline_batch_size).reshape(
        scenario.offline_batches, scenario.offline_batch_size
    )
    for worker in workers:  # the first batch pays for larger buffers
        worker.ask("offline", batches=batches[:1].tolist())
    for of_round in told(np.array_split(batches, min(scenario.rounds, len(batches))), say):
        for i in rng.permutation(len(workers)):
            answer = workers[i].ask("offline", batches=of_round.tolist())
            samples[i].offline_rows_per_second += answer["rows_per_second"]


def told(
    rounds: Sequence[NDArray[np.int64]], say: Progress, clock: Callable[[], float] = time.monotonic
) -> Iterator[NDArray[np.int64]]:
    """The rounds; between two of them, where it has been silent for long, which one comes next."""
    spoke = clock()
    for number, of_round in enumerate(rounds, start=1):
        if clock() - spoke >= _SILENT_SECONDS:
            say(f"round {number} of {len(rounds)}")
            spoke = clock()
        yield of_round


def _draw(rng: np.random.Generator, texts: int, size: int) -> NDArray[np.int64]:
    """Random rows, shape (size,): none comes again before all others have."""
    shuffles = [rng.permutation(texts) for _ in range(-(-size // texts))]
    return np.concatenate(shuffles)[:size]


def _environment(threads: int) -> dict[str, str]:
    """As many threads for every pool as for the model, whatever the caller's shell says.

    TOKENIZERS_PARALLELISM is set since many set it to false for their training, which would
    silently change what offline batches cost here.
    """
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "RAYON_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "true",
    }


def _steal_and_all_ticks() -> tuple[int, int]:
    """CPU time of the machine since boot: taken by the hypervisor, and in all. (0, 0) unknown."""
    try:
        with _PROC_STAT.open(encoding="ascii") as stat:
            ticks = [int(word) for word in stat.readline().split()[1:]]
    except (OSError, ValueError):
        return 0, 0
    # user nice system idle iowait irq softirq steal; guest time stands in user already
    return (ticks[7] if len(ticks) > 7 else 0), sum(ticks[:8])


def _share(before: tuple[int, int], after: tuple[int, int]) -> float:
    return (after[0] - before[0]) / max(1, after[1] - before[1])
