"""What was seen of served models, in rows: for Prefect's table and for the terminal."""

from dataclasses import dataclass

from distillery.monitoring.watching import Watched
from distillery.report import units


@dataclass(frozen=True, kw_only=True)
class WatchRow:
    """One thing that was compared, or why nothing was."""

    model: str
    version: str
    what: str
    rows: str
    found: str
    verdict: str

    @property
    def record(self) -> dict[str, str]:
        """As Prefect's table takes it."""
        return dict(vars(self))


def watch_rows(watched: Watched) -> list[WatchRow]:
    """At least one a model."""
    version = watched.version.version if watched.version else units.NOT_KNOWN

    def row(what: str, rows: int, found: str, crossed: str | None) -> WatchRow:
        return WatchRow(
            model=watched.model,
            version=version,
            what=what,
            rows=units.count(rows),
            found=found,
            verdict=crossed or "within limits",
        )

    rows = [
        row(
            shift.aspect,
            shift.rows,
            f"PSI {shift.stability_index:.3f}, by chance {shift.stability_index_by_chance:.3f}; "
            f"JSD {shift.divergence_bits:.3f} bits; p {shift.p_value:.2g}",
            shift.crossed,
        )
        for shift in watched.shifts
    ]
    if watched.merit is not None:
        merit = watched.merit
        found = f"{merit.merit:.4g} ({merit.interval[0]:.3f} to {merit.interval[1]:.3f})"
        found += f", tested {merit.tested:.4g}"
        if merit.unknown_labels:
            found += f"; {len(merit.unknown_labels)} labels unknown to it"
        rows.append(row(merit.measure, merit.rows, found, merit.crossed))
    if watched.note:
        rows.append(
            WatchRow(
                model=watched.model,
                version=version,
                what="–",
                rows=units.count(watched.rows),
                found="–",
                verdict=watched.note,
            )
        )
    return rows
