"""One entry's engines: a single process, or several that are asked at the same time.

What they are asked is dealt out like cards, and answers are put together in the order of the
requests: sample i answers the same text in the same round, whoever answered it.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from distillery.benchmarking.plan import Entry
from distillery.benchmarking.process import WorkerProcess
from distillery.measurements import Padding

Timed = tuple[list[float], list[float]]
"""End to end, and of the model alone."""


class Instances:
    """An entry's processes; leaving the context ends them."""

    def __init__(
        self, entry: Entry, threads: int, cpus: Sequence[tuple[int, ...]], stderr: Path
    ) -> None:
        self.entry, self.threads, self.cpus = entry, threads, tuple(cpus)
        self._stack = ExitStack()
        with ExitStack() as until_all_run:
            self.workers = [
                until_all_run.enter_context(
                    WorkerProcess(entry, threads, stderr.with_name(f"{stderr.name}-{i}"), of_one)
                )
                for i, of_one in enumerate(cpus)
            ]
            self._stack = until_all_run.pop_all()

    def __enter__(self) -> "Instances":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def __len__(self) -> int:
        return len(self.workers)

    def send(self, command: str, **arguments: object) -> None:
        """The same to each, without waiting for the answers."""
        for worker in self.workers:
            worker.send(command, **arguments)

    def receive(self) -> list[dict[str, Any]]:
        """Block until all have answered."""
        return [worker.receive() for worker in self.workers]

    def ask(self, command: str, **arguments: object) -> list[dict[str, Any]]:
        """The same of each, all at once."""
        self.send(command, **arguments)
        return self.receive()

    def single(self, rows: Sequence[int], padding: Padding) -> Timed:
        """Milliseconds of each row's request; each instance answers its share, one at a time."""
        answers = self._dealt(
            "single", padding, [{"rows": rows[i :: len(self)]} for i in self._all]
        )
        return (
            _together([one["end_to_end_ms"] for one in answers], len(rows)),
            _together([one["model_ms"] for one in answers], len(rows)),
        )

    def offline(self, batches: Sequence[Sequence[int]], padding: Padding) -> Timed:
        """Rows a second of each batch: every instance answers all of them, and rates add up."""
        answers = self._dealt("offline", padding, [{"batches": batches}] * len(self))
        return (
            _sums([one["rows_per_second"] for one in answers]),
            _sums([one["model_rows_per_second"] for one in answers]),
        )

    def serve(
        self,
        rows: Sequence[int],
        due_seconds: Sequence[float],
        padding: Padding,
        rng: np.random.Generator,
    ) -> list[float]:
        """Milliseconds from when each request was due.

        Arrivals are dealt at random, as by a balancer that does not look at queues: of Poisson
        arrivals, each instance's are Poisson too.
        """
        whose = rng.integers(len(self), size=len(rows))
        shares: list[list[int]] = [np.flatnonzero(whose == i).tolist() for i in self._all]
        answers = self._dealt(
            "serve",
            padding,
            [
                {"rows": [rows[i] for i in share], "due_seconds": [due_seconds[i] for i in share]}
                for share in shares
            ],
        )
        found = np.empty(len(rows))
        for share, answer in zip(shares, answers, strict=True):
            found[share] = answer["latencies_ms"]
        return [float(one) for one in found]

    @property
    def _all(self) -> range:
        return range(len(self.workers))

    def _dealt(
        self, command: str, padding: Padding, shares: Sequence[dict[str, object]]
    ) -> list[dict[str, Any]]:
        """Each its own share, at the same time: the few requests that wake each of them up, which
        don't count, are the same for all, and so take about as long."""
        for worker, share in zip(self.workers, shares, strict=True):
            worker.send(command, **share, padding=padding)
        return self.receive()


def _together(shares: Sequence[Sequence[float]], count: int) -> list[float]:
    """What was dealt out one by one, in its first order."""
    found = [0.0] * count
    for i, share in enumerate(shares):
        found[i :: len(shares)] = share
    return found


def _sums(rates: Sequence[Sequence[float]]) -> list[float]:
    return [sum(of_batch) for of_batch in zip(*rates, strict=True)]
