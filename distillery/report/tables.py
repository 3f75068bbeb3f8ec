"""Every candidate's results, as a table: for Markdown artifacts and for the terminal."""

from collections.abc import Callable, Sequence

from rich.table import Table
from rich.text import Text

from distillery.report import units
from distillery.report.measure import Measure, measure_of
from distillery.report.results import ResultRow

# of a terminal: all columns fit beside names of 22 letters
_WIDE = 92


def as_markdown(rows: Sequence[ResultRow]) -> str:
    """Every column, for a Prefect artifact or a model's description."""
    measure = _measure_of_rows(rows)
    columns = (
        "Candidate",
        measure.title,
        measure.second,
        f"{measure.title} kept",
        measure.agreement,
        "p50",
        "p95",
        "p99",
        "Model alone p50",
        "Rows/s",
        "Size",
        "Speed-up",
        "Verdict",
    )
    lines = [
        "| " + " | ".join(columns) + " |",
        "|:--" + "|--:" * (len(columns) - 2) + "|:--|",
    ]
    for row in rows:
        cells = (
            row.candidate,
            measure.written(row.merit),
            units.decimal(row.second),
            units.percent(row.kept),
            row.with_teacher,
            units.milliseconds(row.p50_ms),
            units.milliseconds(row.p95_ms),
            units.milliseconds(row.p99_ms),
            units.milliseconds(row.model_p50_ms),
            units.count(row.rows_per_second),
            units.size(row.size_bytes),
            units.times(row.speedup),
            f"**{row.verdict}**" if row.is_winner else row.verdict,
        )
        lines.append("| " + " | ".join(in_markdown(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def rich_table(rows: Sequence[ResultRow], *, width: int) -> Table:
    """The columns one decides by, for a terminal of so many columns.

    A narrow one leaves the throughput to the report, and folds long names.
    """
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", expand=False)
    table.add_column("candidate", overflow="fold", min_width=18)
    measure = _measure_of_rows(rows)
    columns: dict[str, Callable[[ResultRow], str]] = {
        measure.name: lambda row: measure.written(row.merit),
        "kept": lambda row: units.percent(row.kept),
        "p50": lambda row: units.milliseconds(row.p50_ms),
        "p95": lambda row: units.milliseconds(row.p95_ms),
        "rows/s": lambda row: units.count(row.rows_per_second),
        "size": lambda row: units.size(row.size_bytes),
        "speed-up": lambda row: units.times(row.speedup),
    }
    if width < _WIDE:
        del columns["rows/s"]
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    colours = {"winner": "bold green", "passed": "green", "failed": "red"}
    for row in rows:
        # Text, since a name is not markup
        table.add_row(
            Text(row.candidate),
            *(Text(cell(row)) for cell in columns.values()),
            Text(row.verdict, style=colours.get(row.verdict, "dim")),
            style="bold" if row.is_winner else "dim" if row.passed is None else "",
        )
    return table


def _measure_of_rows(rows: Sequence[ResultRow]) -> Measure:
    return measure_of(rows[0].label_kind if rows else "class")


def in_markdown(cell: str) -> str:
    """A cell whose content stays within it."""
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
