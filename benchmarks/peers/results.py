"""What the comparison found: one row a model and tool, and ours against the best of the peers."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from distillery.benchmarking.comparison import Compared
from distillery.measurements import Fingerprint, Noise
from distillery.noun import Noun
from distillery.nouns import Gain
from distillery.report import units

P50_RATIO_GOAL = 0.85
SIZE_RATIO_GOAL = 0.6
THROUGHPUT_RATIO_GOAL = 1.2

Side = Literal["reference", "peer", "ours"]


class Row(Noun):
    """One tool's form of one model."""

    tool: str
    side: Side
    size_bytes: int = Field(description="The graph with its weights, without the tokenizer.")
    accuracy: float = Field(description="Over the full test split, texts one by one.")
    flip_rate: float = Field(description="Share of test rows answered unlike PyTorch.")
    p50_ms: float = Field(description="One request at a time, end to end; bounds of 99 %.")
    p50_low_ms: float
    p50_high_ms: float
    model_p50_ms: float = Field(description="Without tokenization.")
    p50_threads: int = Field(description="Of those asked for, the best for p50.")
    rows_per_second: float = Field(description="Offline, at the best batch size.")
    batch_size: int = Field(description="That batch size.")
    batch_threads: int = Field(description="Of those asked for, the best for it.")


class Against(Noun):
    """One of our forms against the peers, each quantity against the peer that is best at it."""

    tool: str
    p50: Compared = Field(description="With the quickest peer.")
    smallest_peer: str
    size_ratio: float
    busiest_peer: str
    throughput_ratio: float
    accuracy: Gain = Field(description="Over the most accurate peer; its interval is of 95 %.")

    @property
    def goals(self) -> dict[str, bool]:
        """By what is counted, whether the goal is met."""
        return {
            "p50": self.p50.ratio <= P50_RATIO_GOAL,
            "size": self.size_ratio <= SIZE_RATIO_GOAL,
            "throughput": self.throughput_ratio >= THROUGHPUT_RATIO_GOAL,
            # worse beyond chance is worse
            "accuracy": self.accuracy.interval_high >= 0,
        }


class Model(Noun):
    """One checkpoint, in all forms."""

    name: str
    checkpoint_digest: str
    rows: tuple[Row, ...]
    against: tuple[Against, ...] = Field(description="One a form of ours.")
    failures: dict[str, str] = Field(description="Tool → its own last words.")
    noise: Noise


class Results(Noun):
    """One run of the comparison."""

    started_at: str = Field(description="ISO 8601, UTC.")
    code_version: str
    fingerprint: Fingerprint
    threads: tuple[int, ...] = Field(description="Each form stands with the best of them.")
    requests: int
    versions: dict[str, dict[str, str]] = Field(description="Tool → package → version.")
    models: tuple[Model, ...]


def against(ours: Row, peers: Sequence[Row], p50: Compared, accuracy: Gain) -> Against:
    """``p50`` is ours with the quickest of the peers, ``accuracy`` with the most accurate one."""
    smallest = min(peers, key=lambda row: row.size_bytes)
    busiest = max(peers, key=lambda row: row.rows_per_second)
    return Against(
        tool=ours.tool,
        p50=p50,
        smallest_peer=smallest.tool,
        size_ratio=ours.size_bytes / smallest.size_bytes,
        busiest_peer=busiest.tool,
        throughput_ratio=ours.rows_per_second / busiest.rows_per_second,
        accuracy=accuracy,
    )


def quickest(peers: Sequence[Row]) -> Row:
    """The peer whose median latency is lowest."""
    return min(peers, key=lambda row: row.p50_ms)


def most_accurate(peers: Sequence[Row]) -> Row:
    """The peer that answers most test rows right."""
    return max(peers, key=lambda row: row.accuracy)


def as_markdown(results: Results) -> str:
    """Two tables a model: what was measured, and ours against the peers."""
    place = results.fingerprint
    threads = " or ".join(map(str, results.threads))
    threads += " thread" if results.threads == (1,) else " threads"
    lines = [
        f"# {threads}, {place.cpu_model}, {results.started_at[:10]}",
        "",
        f"{place.os}; Python {place.python}; "
        + ", ".join(f"{name} {version}" for name, version in place.runtimes.items())
        + f"; flags {' '.join(place.cpu_flags)}; code {results.code_version}; "
        f"{results.requests} requests. The tools' own versions stand in the JSON beside.",
    ]
    for model in results.models:
        lines += [
            "",
            f"## {model.name}",
            "",
            *_measured(model, len(results.threads) > 1),
            "",
            *_compared(model),
        ]
        lines += [f"- {tool} failed: {why}" for tool, why in model.failures.items()]
        lines += [f"- noisy: {why}" for why in model.noise.reasons]
    return "\n".join(lines) + "\n"


def _measured(model: Model, several: bool) -> list[str]:
    lines = [
        "| tool | p50 (99 % bounds) | model alone | best rows/s (batch) | file | accuracy "
        "| flips |",
        "|:--|--:|--:|--:|--:|--:|--:|",
    ]
    for row in model.rows:
        cells = (
            f"**{row.tool}**" if row.side == "ours" else row.tool,
            f"{row.p50_ms:.3f} ms ({row.p50_low_ms:.3f} to {row.p50_high_ms:.3f})"
            + (f", {_threads(row.p50_threads)}" if several else ""),
            f"{row.model_p50_ms:.3f} ms",
            f"{units.count(row.rows_per_second)} ({row.batch_size})"
            + (f", {_threads(row.batch_threads)}" if several else ""),
            f"{row.size_bytes / 1e6:.2f} MB",
            f"{row.accuracy:.2%}",
            f"{row.flip_rate:.2%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _compared(model: Model) -> list[str]:
    lines = [
        f"| against the best peer | p50 (≤ {P50_RATIO_GOAL}) | file (≤ {SIZE_RATIO_GOAL}) "
        f"| rows/s (≥ {THROUGHPUT_RATIO_GOAL}) | accuracy (not below) |",
        "|:--|:--|:--|:--|:--|",
    ]
    peers = [row for row in model.rows if row.side == "peer"]
    for one in model.against:
        told = {
            "p50": f"{one.p50.ratio:.2f} ({one.p50.interval_low:.2f} to "
            f"{one.p50.interval_high:.2f}) of {one.p50.reference_name}",
            "size": f"{one.size_ratio:.2f} of {one.smallest_peer}",
            "throughput": f"{one.throughput_ratio:.2f} of {one.busiest_peer}",
            "accuracy": f"{100 * one.accuracy.mean_gain:+.2f} points "
            f"({100 * one.accuracy.interval_low:+.2f} to "
            f"{100 * one.accuracy.interval_high:+.2f}) of {most_accurate(peers).tool}",
        }
        cells = (f"{words} {'✓' if one.goals[what] else '✗'}" for what, words in told.items())
        lines.append(f"| {one.tool} | {' | '.join(cells)} |")
    return lines
