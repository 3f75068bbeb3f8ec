"""Every model's row, in a table a target: for Markdown artifacts and for the terminal."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group
from rich.table import Table
from rich.text import Text

from distillery.report import units
from distillery.report.benchmark.instances import InstanceRow
from distillery.report.benchmark.rows import ModelRow
from distillery.report.tables import in_markdown
from distillery.report.units import NOT_KNOWN

# of a terminal: all columns fit beside a verdict in two lines
_WIDE = 120
_FOR_WIDE = ("p95", "model p50")


def headings(rows: Sequence[ModelRow]) -> list[str]:
    """The columns that some model has something in."""
    return [name for name in rows[0].cells if any(row.cells[name] != NOT_KNOWN for row in rows)]


def as_markdown(rows: Sequence[ModelRow]) -> str:
    """For a Prefect artifact."""
    return "\n".join(_in_markdown(target, of) for target, of in by_target(rows))


def by_target(rows: Sequence[ModelRow]) -> list[tuple[str, list[ModelRow]]]:
    """What was measured on one target is shown together, and apart from what was not."""
    return [(target, list(of)) for target, of in groupby(rows, lambda row: row.target)]


def _in_markdown(target: str, rows: Sequence[ModelRow]) -> str:
    columns = headings(rows)
    lines = [
        f"| model on {target} | {' | '.join(columns)} | verdict |",
        "|:--" + "|--:" * len(columns) + "|:--|",
    ]
    for row in rows:
        cells = [row.model, *(row.cells[name] for name in columns), row.verdict]
        lines.append("| " + " | ".join(in_markdown(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def rich_tables(rows: Sequence[ModelRow], *, width: int) -> Group:
    """For a terminal of so many columns; long names fold.

    A narrow one leaves what one decides least by to the report.
    """
    return Group(*(_rich_table(target, of, width) for target, of in by_target(rows)))


def _rich_table(target: str, rows: Sequence[ModelRow], width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", expand=False)
    columns = [name for name in headings(rows) if width >= _WIDE or name not in _FOR_WIDE]
    table.add_column(f"model on {target}", overflow="fold", min_width=16)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("latency beside the first", overflow="fold", min_width=17)
    for row in rows:
        # Text, since a name is not markup
        table.add_row(
            Text(row.model), *(Text(row.cells[name]) for name in columns), Text(row.verdict)
        )
    return table


def instance_table(rows: Sequence[InstanceRow]) -> Table:
    """Rented machines, the cheapest first; the recommended one in bold."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", expand=False)
    table.add_column("instance", no_wrap=True)
    table.add_column("model", overflow="fold", min_width=16)
    for name in ("requests/s", "p50", "p95", "$/million", "spot", "$/h"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.target,
            Text(row.model),
            "none" if row.rate_per_second is None else units.count(row.rate_per_second),
            units.milliseconds(row.p50_ms),
            units.milliseconds(row.p95_ms),
            units.dollars(row.cost_per_million_usd),
            units.dollars(row.spot_cost_per_million_usd),
            units.dollars(row.usd_per_hour),
            style="bold" if row.is_recommended else "",
        )
    return table
