"""The judge: measurements and gates in, verdict out. Pure: no clock, no file, no network."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from distillery.benchmarking.percentiles import compare, percentile
from distillery.gating import CONTROL, through_gates, written
from distillery.measurements import Measurement
from distillery.nouns import Candidate, Facts, Quality, Ruling, Verdict
from distillery.recipe import Gates

# gates that only a clock can answer
_TIMED = ("latency_p95_ms_max", "speedup_min", "cost_per_million_usd_max")

_NOTHING: Mapping[str, str] = MappingProxyType({})


def judge(
    *,
    gates: Gates,
    candidates: Sequence[Candidate],
    qualities: Sequence[Quality],
    measurements: Sequence[Measurement],
    target: str,
    champion_digest: str | None,
    set_aside: Mapping[str, str] = _NOTHING,
) -> Verdict:
    """Which candidate to promote, and why not each other.

    Only what was measured on ``target`` counts. A candidate has one measurement there: of several
    configurations, the one that it would run in. Some need none: what breaks a gate whatever the
    clock says, and what a search has ``set_aside``, by name, with the reason.

    The reference for accuracy kept and speed-up is the teacher in PyTorch. ``champion_digest`` is
    the reigning champion's; it is dethroned only by a candidate that passes and is better in what
    the gates prefer, by more than noise.

    Raises ``ValueError`` where the teacher in PyTorch is not among the candidates, or was not
    measured there.
    """
    quality = {one.candidate_name: one for one in qualities}
    measurement = {one.candidate_name: one for one in measurements if one.target == target}
    references = [c for c in candidates if c.role == "teacher" and c.runtime == "pytorch"]
    if len(references) != 1 or references[0].name not in measurement:
        raise ValueError(f"the judge needs the teacher in PyTorch as its reference, on {target}")
    reference = references[0]
    reference_quality = quality[reference.name]
    reference_measurement = measurement[reference.name]

    rulings: dict[str, Ruling] = {}
    passed: list[Candidate] = []
    for candidate in candidates:
        if candidate.name not in measurement and _may_win(candidate):
            untimed = broken_untimed(gates, candidate, quality[candidate.name], reference_quality)
            if untimed:
                known = _facts(candidate, quality[candidate.name], None, reference_quality, None)
                rulings[candidate.name] = _ruling(candidate, known, False, untimed)
                continue
        ineligible = _why_not_eligible(candidate, measurement.get(candidate.name), set_aside)
        if ineligible is None and not _same_place(
            measurement[candidate.name], reference_measurement
        ):
            ineligible = "measured on other hardware than the teacher; not comparable"
        if ineligible is not None:
            rulings[candidate.name] = _ruling(candidate, None, False, [ineligible])
            continue
        facts = _facts(
            candidate,
            quality[candidate.name],
            measurement[candidate.name],
            reference_quality,
            reference_measurement,
        )
        kept, broken = through_gates(gates, facts)
        rulings[candidate.name] = _ruling(candidate, facts, not broken, broken or kept)
        if not broken:
            passed.append(candidate)

    if not passed:
        nearest = _nearest(rulings, candidates)
        return Verdict(
            winner_name=None,
            winner_digest=None,
            champion_unchanged=champion_digest is not None,
            summary=f"Nothing was promoted: no candidate passed the gates. {nearest}".strip(),
            rulings=tuple(rulings.values()),
        )

    best = _best(passed, gates, quality, measurement)
    reigning = next((c for c in passed if c.digest == champion_digest), None)
    winner = best
    if reigning is not None and not _is_better(best, reigning, gates, quality, measurement):
        winner = reigning
    for candidate in passed:
        if candidate is not winner:
            ruling = rulings[candidate.name]
            why = _why_second(candidate, winner, gates, quality, measurement)
            rulings[candidate.name] = _ruling(candidate, ruling.facts, True, [*ruling.reasons, why])
    unchanged = winner.digest == champion_digest
    what = "remains champion" if unchanged else "is promoted"
    return Verdict(
        winner_name=winner.name,
        winner_digest=winner.digest,
        champion_unchanged=unchanged,
        summary=f"{winner.name} {what}: {'; '.join(rulings[winner.name].reasons)}.",
        rulings=tuple(rulings.values()),
    )


def _same_place(one: Measurement, other: Measurement) -> bool:
    return (one.fingerprint, one.target, one.instance) == (
        other.fingerprint,
        other.target,
        other.instance,
    )


def broken_untimed(
    gates: Gates, candidate: Candidate, quality: Quality, reference_quality: Quality
) -> list[str]:
    """Why a candidate cannot pass, however fast it is; empty where it may."""
    untimed = gates.model_copy(update=dict.fromkeys(_TIMED))
    return through_gates(untimed, _facts(candidate, quality, None, reference_quality, None))[1]


def broken_gates(
    gates: Gates,
    candidate: Candidate,
    quality: Quality,
    measurement: Measurement,
    reference_quality: Quality,
    reference_measurement: Measurement,
) -> list[str]:
    """Why a candidate, as it was measured, does not pass; empty where it does."""
    facts = _facts(candidate, quality, measurement, reference_quality, reference_measurement)
    return through_gates(gates, facts)[1]


def _may_win(candidate: Candidate) -> bool:
    return candidate.role != "control" and candidate.runtime != "pytorch"


def _why_not_eligible(
    candidate: Candidate, measurement: Measurement | None, set_aside: Mapping[str, str]
) -> str | None:
    if candidate.role == "control":
        return CONTROL
    if candidate.runtime == "pytorch":
        return "reference: measured to compare with; what is served runs in ONNX Runtime"
    if measurement is None:
        return set_aside.get(candidate.name, "not measured")
    return None


def _ruling(
    candidate: Candidate, facts: Facts | None, passed: bool, reasons: Sequence[str]
) -> Ruling:
    """Without facts it was not eligible."""
    return Ruling(
        candidate_name=candidate.name,
        candidate_digest=candidate.digest,
        eligible=facts is not None,
        passed=passed,
        reasons=tuple(reasons),
        facts=facts,
    )


def _facts(
    candidate: Candidate,
    quality: Quality,
    measurement: Measurement | None,
    reference_quality: Quality,
    reference_measurement: Measurement | None,
) -> Facts:
    """Without measurements, what has to do with time is not known."""
    p95 = percentile(measurement.latencies_ms, 0.95) if measurement else None
    return Facts(
        label_kind=quality.label_kind,
        merit=quality.merit,
        # of a teacher that ranks no better than chance nothing can be kept
        merit_kept=quality.merit / reference_quality.merit if reference_quality.merit > 0 else 0.0,
        latency_p95_ms=p95.value if p95 else None,
        size_bytes=candidate.size_bytes,
        speedup=(
            _p50(reference_measurement) / _p50(measurement)
            if measurement and reference_measurement
            else None
        ),
        cost_per_million_usd=measurement.cost_per_million_usd if measurement else None,
        parity_failure=candidate.parity_failure,
    )


def _best(
    passed: Sequence[Candidate],
    gates: Gates,
    quality: dict[str, Quality],
    measurement: dict[str, Measurement],
) -> Candidate:
    """The first in what is preferred; ties go to the smaller, then the more accurate."""

    def smaller_then_better(candidate: Candidate) -> tuple[int, float, str]:
        return candidate.size_bytes, -quality[candidate.name].merit, candidate.name

    match gates.prefer:
        case "size":
            return min(passed, key=lambda c: (c.size_bytes, _p50(measurement[c.name]), c.name))
        case "accuracy":
            return min(passed, key=lambda c: (-quality[c.name].merit, c.size_bytes, c.name))
        case "latency":
            fastest = min(passed, key=lambda c: (_p50(measurement[c.name]), c.name))
            tied = [c for c in passed if c is fastest or _tie(c, fastest, measurement)]
            return min(tied, key=smaller_then_better)


def _is_better(
    challenger: Candidate,
    champion: Candidate,
    gates: Gates,
    quality: dict[str, Quality],
    measurement: dict[str, Measurement],
) -> bool:
    match gates.prefer:
        case "size":
            return challenger.size_bytes < champion.size_bytes
        case "accuracy":
            return quality[challenger.name].merit > quality[champion.name].merit
        case "latency":
            # the best ties with the fastest, and may yet be slower than the champion
            match compare(
                measurement[challenger.name].latencies_ms, measurement[champion.name].latencies_ms
            ):
                case "tie":
                    return challenger.size_bytes < champion.size_bytes
                case found:
                    return found == "faster"


def _tie(one: Candidate, other: Candidate, measurement: dict[str, Measurement]) -> bool:
    verdict = compare(measurement[one.name].latencies_ms, measurement[other.name].latencies_ms)
    return verdict == "tie"


def _why_second(
    candidate: Candidate,
    winner: Candidate,
    gates: Gates,
    quality: dict[str, Quality],
    measurement: dict[str, Measurement],
) -> str:
    match gates.prefer:
        case "size" if candidate.size_bytes == winner.size_bytes:
            return f"passed, as small as {winner.name}, which is faster or reigns already"
        case "size":
            return f"passed, but {winner.name} is smaller ({winner.size_bytes:,} bytes)"
        case "accuracy" if quality[candidate.name].merit == quality[winner.name].merit:
            as_good = {"class": "as accurate as", "score": "with the same Spearman ρ as"}
            return (
                f"passed, {as_good[quality[winner.name].label_kind]} {winner.name}, which is "
                "smaller or reigns already"
            )
        case "accuracy":
            best = quality[winner.name]
            better = {"class": "is more accurate", "score": "has the higher Spearman ρ"}
            return (
                f"passed, but {winner.name} {better[best.label_kind]} "
                f"({written(best.label_kind, best.merit)})"
            )
        case "latency" if _tie(candidate, winner, measurement):
            return f"passed, as fast as {winner.name}, which is smaller or reigns already"
        case "latency":
            return (
                f"passed, but {winner.name} is preferred "
                f"(p50 {_p50(measurement[winner.name]):.2f} ms)"
            )


def _nearest(rulings: dict[str, Ruling], candidates: Sequence[Candidate]) -> str:
    """The eligible candidate that broke the fewest gates, and which; whole graphs first."""
    eligible = [c for c in candidates if rulings[c.name].eligible]
    eligible = [c for c in eligible if c.parity_failure is None] or eligible
    if not eligible:
        return ""
    nearest = min(eligible, key=lambda c: len(rulings[c.name].reasons))
    return f"Nearest was {nearest.name}: {'; '.join(rulings[nearest.name].reasons)}."


def _p50(measurement: Measurement) -> float:
    return float(np.median(measurement.latencies_ms))
