"""What was seen of a served version, written down: curves on its run, tags on the version."""

from datetime import UTC, datetime

from distillery import tracking
from distillery.monitoring.watching import OBSERVED_FILE, Crossing, Watched

_CROSSED = "distillery.drift_"


def is_news(watched: Watched, crossing: Crossing, today: str) -> bool:
    """Whether this limit's crossing was not announced today (ISO date) for this version yet."""
    assert watched.version is not None, "what is not served crosses nothing"
    tags = tracking.tags_of(watched.version)
    return not tags.get(_CROSSED + crossing.kind, "").startswith(today)


def announced(watched: Watched, crossing: Crossing, today: str) -> None:
    """From now on it is no news today."""
    assert watched.version is not None, "what is not served crosses nothing"
    tracking.tag_version(
        watched.version, {_CROSSED + crossing.kind: f"{today}: {crossing.reason}"[:4000]}
    )


def write(watched: Watched) -> str | None:
    """The next comparison begins after this one: the last write. Returns the run's id."""
    if watched.version is None or not (watched.shifts or watched.merit):
        return None
    run = tracking.open_watch_run(watched.version)
    values: dict[str, float | None] = {}
    for shift in watched.shifts:
        values |= {
            f"{shift.aspect}_psi": shift.stability_index,
            f"{shift.aspect}_psi_by_chance": shift.stability_index_by_chance,
            f"{shift.aspect}_divergence_bits": shift.divergence_bits,
            f"{shift.aspect}_p_value": shift.p_value,
            "rows": shift.rows,
        }
    if watched.merit is not None:
        values |= {f"live_{watched.merit.measure}": watched.merit.merit}
        values |= {"labelled_rows": watched.merit.rows}
    run.metrics(values)
    told = {name: f"{value:.4g}" for name, value in values.items() if value is not None}
    tracking.tag_version(
        watched.version,
        {
            **{f"distillery.live_{name.removeprefix('live_')}": v for name, v in told.items()},
            "distillery.watched_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "distillery.watch_run_id": run.run_id,
        },
    )
    if watched.counted is not None:
        run.text(watched.counted.model_dump_json(), OBSERVED_FILE)
    return run.run_id
