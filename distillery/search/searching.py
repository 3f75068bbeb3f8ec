"""The search itself: screen all, leave out what is surely slower, measure the rest in full."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from distillery import storage
from distillery.benchmarking.plan import Entry
from distillery.measurements import Fingerprint, Measurement, Scenario
from distillery.nouns import Candidate, Quality
from distillery.recipe import Gates
from distillery.runtimes.base import Example
from distillery.search import choice
from distillery.search.outcome import Screened, Searched, Trial
from distillery.search.screenings import Screenings
from distillery.search.settings import Search, screening
from distillery.verdict import broken_untimed


class Target(Protocol):
    """Where to measure; see ``targets``."""

    @property
    def name(self) -> str:
        """As it stands in a measurement."""

    def measure(
        self, entries: Sequence[Entry], texts: Sequence[Example], scenario: Scenario, threads: int
    ) -> tuple[Measurement, ...]:
        """One measurement an entry, in their order, all in the same rounds."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where a search measures, and on what."""

    target: Target
    place: Fingerprint
    cores: int
    texts: Sequence[Example]
    texts_digest: str


def search(
    candidates: Sequence[Candidate],
    qualities: Sequence[Quality],
    settings: Search,
    gates: Gates,
    scenario: Scenario,
    ground: Ground,
) -> Searched:
    """The best configuration for latency and for throughput under the gates.

    The references, in PyTorch, have the same choice of threads: no speed-up is won by holding the
    teacher back. What breaks a gate whatever the clock says is not timed.

    Raises ``ValueError`` where the teacher in PyTorch is not among the candidates.
    """
    quality = {one.candidate_name: one for one in qualities}
    reference = next(
        (c for c in candidates if c.role == "teacher" and c.runtime == "pytorch"), None
    )
    if reference is None:
        raise ValueError("a search needs the teacher in PyTorch as its reference")
    entrants = [
        candidate
        for candidate in candidates
        if candidate.runtime == "pytorch"
        or not broken_untimed(gates, candidate, quality[candidate.name], quality[reference.name])
    ]
    named = {candidate.name: candidate for candidate in entrants}
    screened, reused = _screened(entrants, reference, settings, screening(scenario), ground)
    trials = _trials(screened, reused, named, quality, settings, gates, ground.cores)

    finalists = _finalists(trials, named, settings, ground.cores)
    measurements = ground.target.measure(finalists, ground.texts, scenario, 0)
    chosen = choice.chosen(measurements, gates)
    judged = [measurements[i] for i in chosen]
    of_reference = next(m for m in judged if m.candidate_name == reference.name)
    best = choice.best(measurements, judged, gates, named, quality, of_reference)
    return Searched(
        target=ground.target.name,
        cores=ground.cores,
        trials=tuple(trials),
        measurements=tuple(measurements),
        chosen=tuple(chosen),
        best=best,
        set_aside=_set_aside(trials),
    )


def _screened(
    entrants: Sequence[Candidate],
    reference: Candidate,
    settings: Search,
    scenario: Scenario,
    ground: Ground,
) -> tuple[list[Screened], set[int]]:
    """Each candidate with each number of threads, and which of them were kept from before.

    The reference with the fewest threads is the anchor: it is in the rounds of every session.
    """
    fewest = min(settings.threads)
    grid = [(candidate, threads) for candidate in entrants for threads in settings.threads]
    kept = Screenings(
        place=ground.place,
        target=ground.target.name,
        scenario=scenario,
        texts_digest=ground.texts_digest,
        anchor_digest=reference.digest,
        anchor_threads=fewest,
    )
    found = {(c.name, threads): kept.find(c.name, c.digest, threads) for c, threads in grid}
    missing = [(c, threads) for c, threads in grid if found[c.name, threads] is None]
    reused = {i for i, (c, threads) in enumerate(grid) if found[c.name, threads] is not None}
    if missing:
        asked = list(dict.fromkeys([(reference.name, fewest), *((c.name, t) for c, t in missing)]))
        named = {candidate.name: candidate for candidate in entrants}
        measured = ground.target.measure(
            [_entry(named[name], threads) for name, threads in asked], ground.texts, scenario, 0
        )
        session = uuid.uuid4().hex
        for (name, threads), one in zip(asked, measured, strict=True):
            if found[name, threads] is None:
                found[name, threads] = kept.screened(session, one, measured[0])
    all_found = [one for one in found.values() if one is not None]
    assert len(all_found) == len(grid), "what was missing has been measured"
    return all_found, reused


def _trials(
    screened: Sequence[Screened],
    reused: set[int],
    candidates: dict[str, Candidate],
    qualities: dict[str, Quality],
    settings: Search,
    gates: Gates,
    cores: int,
) -> list[Trial]:
    """Each with why it can no longer win, if so. A reference stays with its quickest threads."""

    def room(threads: int) -> int:
        return settings.side_by_side(threads, cores)[-1]

    def name(one: Screened) -> str:
        return one.measurement.candidate_name

    why: dict[tuple[str, int], tuple[str | None, str | None]] = {}
    racing = [one for one in screened if candidates[name(one)].runtime != "pytorch"]
    latency = choice.why_not(
        racing, choice.latency, choice.replaces_in_latency(gates, candidates, qualities)
    )
    throughput = choice.why_not(racing, choice.row_time(room), choice.replaces_in_throughput(gates))
    for one, *reasons in zip(racing, latency, throughput, strict=True):
        why[name(one), one.measurement.threads] = reasons[0], reasons[1]
    references = [one for one in screened if candidates[name(one)].runtime == "pytorch"]
    for _, group in groupby(references, key=name):
        of_one = list(group)
        quickest = min(of_one, key=choice.relative_p50)
        for one in of_one:
            threads = quickest.measurement.threads
            slower = f"quicker with {threads} thread{'' if threads == 1 else 's'}"
            why[name(one), one.measurement.threads] = (
                None if one is quickest else slower,
                "a reference, for its latency alone",
            )
    return [
        Trial(
            candidate_name=one.candidate_name,
            candidate_digest=one.candidate_digest,
            threads=one.threads,
            p50_ms=choice.p50_ms(one),
            rows_per_second=one.rows_per_second,
            reused=i in reused,
            why_not_latency=why[one.candidate_name, one.threads][0],
            why_not_throughput=why[one.candidate_name, one.threads][1],
        )
        for i, one in enumerate(s.measurement for s in screened)
    ]


def _finalists(
    trials: Sequence[Trial], candidates: dict[str, Candidate], settings: Search, cores: int
) -> list[Entry]:
    """One alone of each that may still win; several side by side where throughput may be won."""
    return [
        _entry(candidates[trial.candidate_name], trial.threads, instances)
        for trial in trials
        if not trial.set_aside
        for instances in settings.side_by_side(trial.threads, cores)
        if instances == 1 or trial.why_not_throughput is None
    ]


def _set_aside(trials: Sequence[Trial]) -> dict[str, str]:
    """Of candidates none of whose trials went on: why its quickest did not."""
    found = {}
    for name in dict.fromkeys(trial.candidate_name for trial in trials):
        own = [trial for trial in trials if trial.candidate_name == name]
        if all(trial.set_aside for trial in own):
            quickest = min(own, key=lambda trial: trial.p50_ms)
            found[name] = f"set aside by the search: {quickest.why_not_latency}"
    return found


def _entry(candidate: Candidate, threads: int, instances: int = 1) -> Entry:
    return Entry(
        name=candidate.name,
        digest=candidate.digest,
        folder=storage.fetch(candidate.artifact),
        runtime=candidate.runtime,
        threads=threads,
        instances=instances,
    )
