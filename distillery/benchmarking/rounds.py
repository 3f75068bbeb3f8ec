"""The scenarios, in turns: engines in random order, the same requests for each of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from distillery.benchmarking import server
from distillery.benchmarking.instances import Instances
from distillery.benchmarking.process import WorkerProcess
from distillery.measurements import (
    ColdStart,
    OfflineBatches,
    Padding,
    RatePoint,
    Scenario,
    Server,
    ServerLoad,
    SingleStream,
)

Progress = Callable[[str], None]

_Round = TypeVar("_Round")

_SILENT_SECONDS = 5


@dataclass
class Samples:
    """What one engine has shown so far."""

    load_ms: float = 0.0
    first_prediction_ms: float = 0.0
    warmup_requests: int = 0
    single: dict[Padding, tuple[list[float], list[float]]] = field(default_factory=dict)
    offline: dict[tuple[Padding, int], tuple[list[float], list[float]]] = field(
        default_factory=dict
    )
    points: list[RatePoint] = field(default_factory=list)
    cold_starts: list[ColdStart] = field(default_factory=list)
    peak_memory_bytes: int = 0
    cpus: tuple[tuple[int, ...], ...] = ()

    def single_stream(self) -> tuple[SingleStream, ...]:
        """One a padding, in the scenario's order."""
        return tuple(
            SingleStream(padding=padding, latencies_ms=tuple(both), model_latencies_ms=tuple(model))
            for padding, (both, model) in self.single.items()
        )

    def offline_batches(self) -> tuple[OfflineBatches, ...]:
        """One a padding and batch size."""
        return tuple(
            OfflineBatches(
                padding=padding,
                batch_size=batch_size,
                rows_per_second=tuple(both),
                model_rows_per_second=tuple(model),
            )
            for (padding, batch_size), (both, model) in self.offline.items()
        )

    def server_load(self, settings: Server | None) -> ServerLoad | None:
        """The rates that were tried; None where none should be."""
        if settings is None:
            return None
        return ServerLoad(p99_objective_ms=settings.p99_objective_ms, points=tuple(self.points))


@dataclass(frozen=True, kw_only=True)
class Turns:
    """Who takes turns, over how many texts, and who is told."""

    engines: Sequence[Instances]
    samples: Sequence[Samples]
    scenario: Scenario
    texts: int
    rng: np.random.Generator
    say: Progress

    def single(self) -> None:
        """One request at a time, each padding in every turn."""
        scenario = self.scenario
        self.say(f"timing {scenario.requests} single requests in {scenario.rounds} rounds")
        rows = draw(self.rng, self.texts, scenario.requests)
        for of_round in told(np.array_split(rows, min(scenario.rounds, len(rows))), self.say):
            for engine, found in self._in_turn():
                for padding in scenario.paddings:
                    more, more_model = engine.single(of_round.tolist(), padding)
                    both, model = found.single.setdefault(padding, ([], []))
                    both += more
                    model += more_model

    def offline(self) -> None:
        """Batches, each size and padding in every turn."""
        scenario = self.scenario
        sizes = scenario.offline.batch_sizes
        batches = {
            size: draw(self.rng, self.texts, scenario.offline.batches * size).reshape(-1, size)
            for size in sizes
        }
        self.say(f"timing {scenario.offline.batches} batches of {', '.join(map(str, sizes))}")
        kinds = [(padding, size) for size in sizes for padding in scenario.paddings]
        for engine in self.engines:  # the first batch pays for larger buffers
            for padding, size in kinds:
                engine.offline(batches[size][:1].tolist(), padding)
        rounds = np.array_split(
            np.arange(scenario.offline.batches), min(scenario.rounds, scenario.offline.batches)
        )
        for of_round in told(rounds, self.say):
            for engine, found in self._in_turn():
                for padding, size in kinds:
                    more, more_model = engine.offline(batches[size][of_round].tolist(), padding)
                    both, model = found.offline.setdefault((padding, size), ([], []))
                    both += more
                    model += more_model

    def server(self, settings: Server) -> None:
        """Poisson arrivals; each engine searches its own rate, one try a turn."""
        padding = self.scenario.paddings[0]
        self.say(
            f"timing {settings.rates} rates of {settings.requests} requests that come by chance"
        )
        for _ in told(range(settings.rates), self.say):
            rows = draw(self.rng, self.texts, settings.requests).tolist()
            # every engine gets the same arrivals, closer together at a higher rate
            intervals = server.arrivals(self.rng, settings.requests)
            for engine, found in self._in_turn():
                capacity = len(engine) * 1000 / float(np.mean(found.single[padding][0]))
                rate = server.next_rate(found.points, settings.p99_objective_ms, capacity)
                due_seconds = (intervals / rate).tolist()
                latencies_ms = engine.serve(rows, due_seconds, padding, self.rng)
                found.points.append(
                    RatePoint(rate_per_second=rate, latencies_ms=tuple(latencies_ms))
                )

    def cold(self, example: Path, work: Path) -> None:
        """Each start in a fresh process, while the others sleep. Files are in the page cache.

        Of several instances, one.
        """
        self.say(f"timing {self.scenario.cold_starts} cold starts")
        for _ in told(range(self.scenario.cold_starts), self.say):
            for i in self.rng.permutation(len(self.engines)):
                one = self.engines[i]
                stderr = work / f"cold-stderr-{i}"
                with WorkerProcess(one.entry, one.threads, stderr, one.cpus[0]) as worker:
                    worker.send("read", texts=str(example))
                    worker.send("open", **worker.opening, row=0)
                    worker.receive()
                    answer = worker.receive()
                    load_ms, first_ms = answer["load_ms"], answer["first_prediction_ms"]
                    total_ms = (answer["ended_ns"] - worker.started_ns) / 1e6
                    self.samples[i].cold_starts.append(
                        ColdStart(
                            process_ms=total_ms - load_ms - first_ms,
                            load_ms=load_ms,
                            first_prediction_ms=first_ms,
                        )
                    )

    def _in_turn(self) -> Iterator[tuple[Instances, Samples]]:
        for i in self.rng.permutation(len(self.engines)):
            yield self.engines[i], self.samples[i]


def told(
    rounds: Sequence[_Round], say: Progress, clock: Callable[[], float] = time.monotonic
) -> Iterator[_Round]:
    """The rounds; between two of them, where it has been silent for long, which one comes next."""
    spoke = clock()
    for number, of_round in enumerate(rounds, start=1):
        if clock() - spoke >= _SILENT_SECONDS:
            say(f"round {number} of {len(rounds)}")
            spoke = clock()
        yield of_round


def draw(rng: np.random.Generator, texts: int, size: int) -> NDArray[np.int64]:
    """Random rows, shape (size,): none comes again before all others have."""
    shuffles = [rng.permutation(texts) for _ in range(-(-size // texts))]
    return np.concatenate(shuffles)[:size]
