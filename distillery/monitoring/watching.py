"""A served model looked at: since the last time, has what it is asked and answers moved?

Places count from when a version began to serve. A shift would drown in what was counted before it,
so only what came since the last comparison is compared; where that is too little, it waits.
"""

from collections.abc import Mapping

from pydantic import Field, ValidationError

from distillery import tracking
from distillery.data.preparation import LENGTH_BOUNDS
from distillery.deployment.base import DeploymentError, Observed, Place, Served
from distillery.errors import UserError
from distillery.monitoring import labelled, reference
from distillery.monitoring.drift import Drift, Shift, compare
from distillery.monitoring.merit import LiveMerit
from distillery.monitoring.reference import Reference
from distillery.noun import Noun
from distillery.nouns import RegisteredVersion, Split
from distillery.recipe import Data

OBSERVED_FILE = "observed.json"


class Counted(Noun):
    """What a place had counted when it was last compared."""

    since: str = Field(description="When the version began to serve; counts begin anew with it.")
    observed: Observed


class Crossing(Noun):
    """One limit that was crossed."""

    kind: str = Field(description="'classes', 'lengths', 'accuracy' or 'spearman'.")
    reason: str


class Watched(Noun):
    """What was seen of one registered model."""

    model: str
    version: RegisteredVersion | None = Field(description="That answers; None where none does.")
    address: str | None
    rows: int = Field(description="Seen since the last comparison.")
    counted: Counted | None = Field(description="To be compared from next; None: as before.")
    shifts: tuple[Shift, ...]
    merit: LiveMerit | None
    note: str = Field(description="Why something was not compared; empty where all was.")
    failed: bool = Field(default=False, description="The note says what has to be mended.")

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """Every limit crossed."""
        found: list[tuple[str, str | None]] = [(one.aspect, one.crossed) for one in self.shifts]
        if self.merit is not None:
            found.append((self.merit.measure, self.merit.crossed))
        return tuple(Crossing(kind=kind, reason=reason) for kind, reason in found if reason)


def watch(model: str, place: Place, limits: Drift, rows: Data | None = None) -> Watched:
    """Nothing is written. ``rows`` are those whose labels came later.

    Raises ``UserError`` for a place that cannot be asked, and as ``reference`` and ``labelled`` do.
    """
    try:
        served = place.serving(model)
        observed = place.observed(model) if served else None
    except (DeploymentError, OSError) as error:
        raise UserError(
            f"{model} cannot be watched: its place does not answer ({error}); see distillery status"
        ) from error
    if served is None:
        return _unseen(model, "nothing answers at its place; see distillery status")
    version = tracking.version_at(f"models:/{model}/{served.version}")
    known = reference.read(version)
    seen, counted, note = _since_last_time(observed, served, version)
    shifts: tuple[Shift, ...] = ()
    if seen is not None and seen.rows >= limits.rows_min:
        shifts = _shifts(known, seen, limits)
    elif seen is not None:
        counted = None
        note = f"{seen.rows:,} rows so far; it takes {limits.rows_min:,} to compare"
    return Watched(
        model=model,
        version=version,
        address=served.address,
        rows=seen.rows if seen else 0,
        counted=counted,
        shifts=shifts,
        merit=labelled.judge(rows, served, known, limits) if rows else None,
        note=note,
    )


def unwatchable(model: str, error: UserError) -> Watched:
    """Where one of several models cannot be watched: the others are."""
    return _unseen(model, str(error)).model_copy(update={"failed": True})


def since(earlier: Observed, now: Observed) -> Observed | None:
    """What was counted after ``earlier``. None where ``now`` does not go on from it."""
    labels, lengths = earlier.predicted_labels, earlier.length_histogram
    known = set(labels) <= set(now.predicted_labels) and len(lengths) == len(now.length_histogram)
    if not known or earlier.version != now.version:
        return None
    by_label = {name: n - labels.get(name, 0) for name, n in now.predicted_labels.items()}
    by_length = tuple(n - then for n, then in zip(now.length_histogram, lengths, strict=True))
    if min([now.rows - earlier.rows, *by_label.values(), *by_length]) < 0:
        return None
    return Observed(
        model=now.model,
        version=now.version,
        rows=now.rows - earlier.rows,
        predicted_labels=by_label,
        length_histogram=by_length,
    )


def _unseen(model: str, note: str) -> Watched:
    return Watched(
        model=model,
        version=None,
        address=None,
        rows=0,
        counted=None,
        shifts=(),
        merit=None,
        note=note,
    )


def _since_last_time(
    observed: Observed | None, served: Served, version: RegisteredVersion
) -> tuple[Observed | None, Counted | None, str]:
    if observed is None:
        return None, None, "its place keeps no counts"
    if observed.version != served.version:
        return None, None, "it was deployed a moment ago"
    counted = Counted(since=served.since, observed=observed)
    earlier = _counted_before(version)
    if earlier is not None and earlier.since == served.since:
        return since(earlier.observed, observed) or observed, counted, ""
    return observed, counted, ""


def _counted_before(version: RegisteredVersion) -> Counted | None:
    run = tracking.watch_run(version)
    text = tracking.run_text(run.run_id, OBSERVED_FILE) if run else None
    try:
        return None if text is None else Counted.model_validate_json(text)
    except ValidationError:
        return None  # of another release: counted from the beginning


def _shifts(known: Reference, seen: Observed, limits: Drift) -> tuple[Shift, ...]:
    train = known.dataset.train
    found = []
    if train.label_counts and seen.predicted_labels:
        trained = dict(zip(known.dataset.label_names, train.label_counts, strict=True))
        found.append(compare("classes", trained, seen.predicted_labels, limits))
    if sum(train.length_histogram) and sum(seen.length_histogram):
        found.append(compare("lengths", _lengths(train), _lengths(seen), limits))
    return tuple(found)


def _lengths(of: Split | Observed) -> Mapping[str, int]:
    starts = [1, *(bound + 1 for bound in LENGTH_BOUNDS)]
    names = [f"{start}–{bound} words" for start, bound in zip(starts, LENGTH_BOUNDS, strict=False)]
    return dict(zip([*names, f"over {LENGTH_BOUNDS[-1]} words"], of.length_histogram, strict=True))
