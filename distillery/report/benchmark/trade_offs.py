"""What latency is paid with: which models are the best for their size, or for their accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from distillery.report.benchmark.rows import ModelRow
from distillery.report.plots.fronts import Point, front

Against = Literal["size_bytes", "accuracy", "spearman"]


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """The models of one target in the plane of median latency and something else."""

    against: Against
    points: dict[str, Point]
    """By model: (p50 in milliseconds, the other)."""

    @property
    def front(self) -> list[Point]:
        """The best trade-offs, the fastest first."""
        return front([*self.points.values()], more_is_better=self.against != "size_bytes")

    @property
    def best(self) -> list[str]:
        """The models on the front, the fastest first."""
        on_front = self.front
        best = [model for model, point in self.points.items() if point in on_front]
        return sorted(best, key=lambda model: self.points[model])


def trade_offs(rows: Sequence[ModelRow]) -> list[TradeOff]:
    """Size, and accuracy or Spearman's ρ where the registry tells it of two on equal data.

    ``rows`` are of one target. A single model is no trade-off.
    """
    found = []
    sizes = {row.model: (row.p50_ms, float(row.size_bytes)) for row in rows if row.p50_ms}
    if len(sizes) > 1:
        found.append(TradeOff(against="size_bytes", points=sizes))
    known = [row.merit for row in rows if row.merit is not None]
    # most of them, where they were not all tested on the same data
    same = [(merit.label_kind, merit.data_digest) for merit in known]
    data = max(same, key=same.count, default=None)
    merits = {
        row.model: (row.p50_ms, row.merit.value)
        for row in rows
        if row.p50_ms and row.merit and (row.merit.label_kind, row.merit.data_digest) == data
    }
    if len(merits) > 1 and data is not None:
        against: Against = "accuracy" if data[0] == "class" else "spearman"
        found.append(TradeOff(against=against, points=merits))
    return found
