"""A search: a row a configuration, and its tables for the terminal and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from distillery.benchmarking.percentiles import percentile
from distillery.measurements import Measurement
from distillery.report import units
from distillery.search.outcome import Searched, Trial, called

_GOALS = {"latency": "lowest latency", "throughput": "highest throughput"}


@dataclass(frozen=True, kw_only=True)
class SearchRow:
    """One configuration: measured in full, or set aside by the screening."""

    candidate: str
    threads: int
    instances: int
    p50_ms: float
    p95_ms: float | None
    rows_per_second: float
    in_full: bool
    best: tuple[str, ...]
    why_not: str | None

    @property
    def cores(self) -> int:
        """How many it works on."""
        return self.threads * self.instances

    @property
    def outcome(self) -> str:
        """What it is best for, or why it was not measured in full."""
        return " and ".join(self.best) or self.why_not or ""


def search_rows(searched: Searched) -> list[SearchRow]:
    """What was measured in full by latency, then what was set aside."""
    full = [_in_full(searched, measured) for measured in searched.measurements]
    aside = [_set_aside(trial) for trial in searched.trials if trial.set_aside]
    return [
        *sorted(full, key=lambda row: row.p50_ms),
        *sorted(aside, key=lambda row: row.p50_ms),
    ]


def best_in_words(searched: Searched) -> list[str]:
    """A sentence a goal."""
    found = []
    for best in searched.best:
        name = called(best.candidate_name, best.threads, best.instances)
        value = (
            f"p50 {units.milliseconds(best.p50_ms)}"
            if best.goal == "latency"
            else f"{units.count(best.rows_per_second)} rows/s"
        )
        ties = f"; not told from it: {' · '.join(best.ties)}" if best.ties else ""
        found.append(f"{_GOALS[best.goal].capitalize()} under the gates: {name} ({value}{ties}).")
    return found or ["No configuration passed the gates."]


def screened_in_words(searched: Searched) -> str:
    """How much was tried, and how much of it was left out."""
    aside = sum(trial.set_aside for trial in searched.trials)
    reused = sum(trial.reused for trial in searched.trials)
    kept = f", {reused} of them kept from earlier runs" if reused else ""
    return (
        f"{len(searched.trials)} configurations screened on {searched.target} "
        f"({searched.cores} core{'' if searched.cores == 1 else 's'}){kept}; {aside} set aside, "
        f"{len(searched.measurements)} measured in full, side by side."
    )


def search_table(rows: Sequence[SearchRow]) -> Table:
    """What was measured in full, for a terminal of 80 columns."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", expand=False)
    table.add_column("configuration", overflow="fold", min_width=18)
    for heading in ("threads", "instances", "p50", "rows/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("best for", no_wrap=True)
    for row in rows:
        if row.in_full:
            table.add_row(
                Text(row.candidate),  # Text, since a name is not markup
                str(row.threads),
                str(row.instances),
                units.milliseconds(row.p50_ms),
                units.count(row.rows_per_second),
                " and ".join(row.best),
                style="bold" if row.best else "",
            )
    return table


def document(searched: Searched) -> dict[str, Any]:
    """JSON values alone, without raw samples."""
    return {
        "target": searched.target,
        "cores": searched.cores,
        "best": [best.model_dump(mode="json") for best in searched.best],
        "trials": [
            trial.model_dump(mode="json") | {"set_aside": trial.set_aside}
            for trial in searched.trials
        ],
        "measured": [
            {
                "candidate": measured.candidate_name,
                "threads": measured.threads,
                "instances": measured.instances,
                "cpus": measured.cpus,
                "p50_ms": _p(measured, 0.50),
                "p95_ms": _p(measured, 0.95),
                "rows_per_second": measured.rows_per_second,
                "judged": i in searched.chosen,
            }
            for i, measured in enumerate(searched.measurements)
        ],
    }


def _in_full(searched: Searched, measured: Measurement) -> SearchRow:
    of = (measured.candidate_name, measured.threads, measured.instances)
    return SearchRow(
        candidate=measured.candidate_name,
        threads=measured.threads,
        instances=measured.instances,
        p50_ms=_p(measured, 0.50) or 0.0,
        p95_ms=_p(measured, 0.95),
        rows_per_second=measured.rows_per_second,
        in_full=True,
        best=tuple(
            best.goal
            for best in searched.best
            if (best.candidate_name, best.threads, best.instances) == of
        ),
        why_not=None,
    )


def _set_aside(trial: Trial) -> SearchRow:
    return SearchRow(
        candidate=trial.candidate_name,
        threads=trial.threads,
        instances=1,
        p50_ms=trial.p50_ms,
        p95_ms=None,
        rows_per_second=trial.rows_per_second,
        in_full=False,
        best=(),
        why_not=trial.why_not_latency,
    )


def _p(measured: Measurement, q: float) -> float | None:
    found = percentile(measured.latencies_ms, q)
    return found.value if found else None
