"""How a model is asked during a benchmark, and what that showed: raw samples, in their units.

Percentiles, throughputs and rates are derived from the samples wherever they are shown.
"""

from statistics import median
from typing import Annotated, Literal

from pydantic import Field, model_validator

from distillery import digests
from distillery.benchmarking.percentiles import percentile
from distillery.noun import Noun

Padding = Literal["natural", "longest_of_batch", "max_length"]
"""What the rows of a batch are filled up to: nothing (rows of one length run together), the longest
of them, or the model's longest input."""

_STEAL_MOST, _FREQUENCY_DRIFT_MOST, _CALIBRATION_DRIFT_MOST = 0.01, 0.05, 0.10


class Fingerprint(Noun):
    """The hardware and builds a measurement belongs to; different ones are never ranked."""

    cpu_model: str
    cpu_count: int
    cpu_flags: tuple[str, ...]
    memory_bytes: int
    os: str
    python: str
    runtimes: dict[str, str] = Field(description="Package → version.")
    gpu: str | None = Field(
        default=None, description="Name, memory and driver, where one was measured."
    )

    @property
    def digest(self) -> str:
        """Short identity of the place and its builds."""
        return digests.of_json(self.model_dump(mode="json"))[:12]


class Offline(Noun):
    """Everything is there at once: the highest throughput, over batch sizes."""

    batch_sizes: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(
        default=(32,), min_length=1, title="Batch sizes", description="Texts per batch."
    )
    batches: int = Field(
        default=12, ge=3, le=1000, title="Batches", description="Of each size, timed."
    )


class Server(Noun):
    """Requests come when they come: the highest rate that keeps p99 under an objective."""

    p99_objective_ms: float = Field(
        gt=0, allow_inf_nan=False, title="p99 objective (ms)", description="From scheduled times."
    )
    # the fewest of which one may exceed the objective: 1 - .99^n - n·.01·.99^(n-1) >= .99
    requests: int = Field(
        default=700, ge=662, le=100_000, title="Requests", description="At each rate."
    )
    rates: int = Field(
        default=6, ge=1, le=20, title="Rates", description="Tried, by bisection up to capacity."
    )


class Scenario(Noun):
    """How a candidate is asked during a benchmark: one request at a time, in batches, and more."""

    requests: int = Field(default=500, ge=100, le=100_000, description="Single requests, timed.")
    rounds: int = Field(
        default=10, ge=2, le=1000, description="Interleaved rounds, engines in random order."
    )
    offline: Offline = Field(default=Offline(), title="Offline")
    server: Server | None = Field(
        default=None, title="Server", description="Poisson arrivals; left out, not measured."
    )
    cold_starts: int = Field(
        default=0, ge=0, le=100, title="Cold starts", description="Each in a process of its own."
    )
    paddings: tuple[Padding, ...] = Field(
        default=("longest_of_batch",),
        min_length=1,
        title="Paddings",
        description="Each is measured, one at a time and in batches; the first one is judged.",
    )
    seed: int = 0

    @model_validator(mode="after")
    def _nothing_is_measured_twice(self) -> "Scenario":
        for name, values in (
            ("offline.batch_sizes", self.offline.batch_sizes),
            ("paddings", self.paddings),
        ):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names one value twice; leave one out")
        return self


class SingleStream(Noun):
    """One request at a time."""

    padding: Padding
    latencies_ms: tuple[float, ...] = Field(description="End to end.")
    model_latencies_ms: tuple[float, ...] = Field(description="Without tokenization.")


class OfflineBatches(Noun):
    """Batches of one size, one value each."""

    padding: Padding
    batch_size: int
    rows_per_second: tuple[float, ...] = Field(description="End to end.")
    model_rows_per_second: tuple[float, ...] = Field(description="Without tokenization.")


class RatePoint(Noun):
    """Poisson arrivals at one mean rate."""

    rate_per_second: float
    latencies_ms: tuple[float, ...] = Field(
        description="From the scheduled time: waiting in the queue included."
    )

    @property
    def p50_ms(self) -> float | None:
        """Median; None for too few requests, as are the others."""
        return _percentile(self.latencies_ms, 0.50)

    @property
    def p95_ms(self) -> float | None:
        """Within which 95 % were answered."""
        return _percentile(self.latencies_ms, 0.95)

    @property
    def p99_ms(self) -> float | None:
        """Within which 99 % were answered."""
        return _percentile(self.latencies_ms, 0.99)

    def holds(self, p99_objective_ms: float) -> bool:
        """Whether p99 is under the objective with 99 % confidence: its upper bound is."""
        found = percentile(self.latencies_ms, 0.99)
        return found is not None and found.high <= p99_objective_ms


class ServerLoad(Noun):
    """The rates that were tried, in that order."""

    p99_objective_ms: float
    points: tuple[RatePoint, ...]

    @property
    def highest_rate_per_second(self) -> float | None:
        """The highest rate that held, below every one that did not. None: none held."""
        failed = [
            point.rate_per_second for point in self.points if not point.holds(self.p99_objective_ms)
        ]
        held = [
            point.rate_per_second
            for point in self.points
            if point.holds(self.p99_objective_ms)
            and point.rate_per_second < min(failed, default=float("inf"))
        ]
        return max(held, default=None)


class ColdStart(Noun):
    """A process that did not run before, from its start to its first answer."""

    process_ms: float = Field(description="Until the interpreter and our own modules are there.")
    load_ms: float = Field(description="The runtime's import, the model and the tokenizer.")
    first_prediction_ms: float

    @property
    def total_ms(self) -> float:
        """What whoever waits for the first answer waits."""
        return self.process_ms + self.load_ms + self.first_prediction_ms


class Noise(Noun):
    """How far the machine was from quiet and steady."""

    steal_share: float = Field(description="Share of CPU time taken by the hypervisor.")
    frequency_drift: float | None = Field(
        description="Highest ÷ lowest clock seen, less 1; None where the system does not tell."
    )
    calibration_drift: float = Field(
        description="Slowest ÷ quickest run of a fixed loop, less 1, over the whole benchmark."
    )

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the measurement is noisy, in words; empty where it is not."""
        told = (
            (self.steal_share, _STEAL_MOST, "the hypervisor took {:.1%} of CPU time"),
            (self.frequency_drift, _FREQUENCY_DRIFT_MOST, "the clock frequency moved by {:.0%}"),
            (
                self.calibration_drift,
                _CALIBRATION_DRIFT_MOST,
                "a loop of fixed work took up to {:.0%} longer at one time than at another",
            ),
        )
        return tuple(
            words.format(value)
            for value, most, words in told
            if value is not None and value >= most
        )


Market = Literal["on_demand", "spot"]
"""How an instance is paid for."""


class Price(Noun):
    """What an hour of an instance costs."""

    on_demand_usd_per_hour: float
    spot_usd_per_hour: float | None = Field(
        default=None, description="The lowest of the region's zones; None where it is not told."
    )
    source: str = Field(description="Who says so.")
    as_of: str = Field(description="The day that it was told for, ISO 8601.")


class Instance(Noun):
    """The rented machine that something was measured on."""

    instance_type: str
    region: str
    zone: str
    market: Market
    instance_id: str
    image_id: str
    price: Price


class Measurement(Noun):
    """One candidate, measured on one target in one scenario. Raw samples are kept."""

    candidate_name: str
    candidate_digest: str
    target: str
    fingerprint: Fingerprint
    threads: int = Field(description="Of each instance, within operators.")
    instances: int = Field(
        default=1,
        ge=1,
        description="Processes of one engine each, asked at the same time: latencies are those "
        "under that load, throughputs their sum.",
    )
    cpus: tuple[tuple[int, ...], ...] = Field(
        default=(),
        description="Logical CPUs that each instance was pinned to; empty: it could go anywhere.",
    )
    single_stream: tuple[SingleStream, ...] = Field(min_length=1, description="One a padding.")
    offline: tuple[OfflineBatches, ...] = Field(description="One a padding and batch size.")
    server: ServerLoad | None = None
    cold_starts: tuple[ColdStart, ...] = ()
    load_ms: float
    first_prediction_ms: float
    peak_memory_bytes: int = Field(description="Of all instances together.")
    warmup_requests: int
    noise: Noise
    instance: Instance | None = Field(default=None, description="Where one was rented.")

    @property
    def latencies_ms(self) -> tuple[float, ...]:
        """End to end, one request at a time, with the padding that is judged."""
        return self.single_stream[0].latencies_ms

    @property
    def model_latencies_ms(self) -> tuple[float, ...]:
        """The same without tokenization."""
        return self.single_stream[0].model_latencies_ms

    @property
    def rows_per_second(self) -> float:
        """Throughput: of the batch sizes with the padding that is judged, the highest median."""
        return median(self.best_batches.rows_per_second)

    @property
    def best_batches(self) -> OfflineBatches:
        """Those of the batch size with the highest throughput, with the padding that is judged."""
        judged = (b for b in self.offline if b.padding == self.single_stream[0].padding)
        return max(judged, key=lambda batches: median(batches.rows_per_second))

    @property
    def cost_per_million_usd(self) -> float | None:
        """A million predictions on demand, at the highest rate that holds the p99 objective.

        None without a price, without a server scenario, or where no rate held.
        """
        return self._cost(self.instance.price.on_demand_usd_per_hour if self.instance else None)

    @property
    def spot_cost_per_million_usd(self) -> float | None:
        """The same on the spot market."""
        return self._cost(self.instance.price.spot_usd_per_hour if self.instance else None)

    def _cost(self, usd_per_hour: float | None) -> float | None:
        rate = self.server.highest_rate_per_second if self.server else None
        if usd_per_hour is None or not rate:
            return None
        return usd_per_hour / (rate * 3600) * 1e6


class Skipped(Noun):
    """Models that gave no number on a target, and why: none is made up for them."""

    models: tuple[str, ...]
    target: str
    why: str = Field(description="What is missing, and the mend.")

    @property
    def line(self) -> str:
        """For people."""
        return f"{', '.join(self.models)} cannot run on {self.target}: {self.why}"


class Outcome(Noun):
    """What one target came to."""

    target: str
    measurements: tuple[Measurement, ...] = Field(
        default=(), description="One an entry that could run, in their order."
    )
    skipped: tuple[Skipped, ...] = ()
    run: str | None = Field(
        default=None, description="Where a rented machine left it, kept until it is reported."
    )


def _percentile(samples: tuple[float, ...], q: float) -> float | None:
    found = percentile(samples, q)
    return found.value if found else None
