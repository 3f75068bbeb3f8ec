"""The judge: measurements and gates in, verdict out. Pure: no clock, no file, no network."""

from collections.abc import Sequence

import numpy as np

from distillery.benchmarking.percentiles import compare, percentile
from distillery.measurements import Measurement
from distillery.nouns import Candidate, Quality, Ruling, Verdict
from distillery.recipe import Gates

_MERIT = {"class": "accuracy", "score": "Spearman ρ"}

# 1026 of 5500 is 95 % of 1080 of 5500, and as quotients of floats a hair below
_ROUNDING = 1e-9


def judge(
    *,
    gates: Gates,
    candidates: Sequence[Candidate],
    qualities: Sequence[Quality],
    measurements: Sequence[Measurement],
    target: str,
    champion_digest: str | None,
) -> Verdict:
    """Which candidate to promote, and why not each other.

    Only what was measured on ``target`` counts. The reference for accuracy kept and speed-up is the
    teacher in PyTorch. ``champion_digest`` is
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
        ineligible = _why_not_eligible(candidate, measurement.get(candidate.name))
        if ineligible is None and not _same_place(
            measurement[candidate.name], reference_measurement
        ):
            ineligible = "measured on other hardware than the teacher; not comparable"
        if ineligible is not None:
            rulings[candidate.name] = _ruling(candidate, False, False, [ineligible])
            continue
        if candidate.parity_failure is not None:
            rulings[candidate.name] = _ruling(candidate, True, False, [candidate.parity_failure])
            continue
        kept, broken = _through_gates(
            gates,
            candidate,
            quality[candidate.name],
            measurement[candidate.name],
            reference_quality,
            reference_measurement,
        )
        rulings[candidate.name] = _ruling(candidate, True, not broken, broken or kept)
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
            rulings[candidate.name] = _ruling(
                candidate,
                True,
                True,
                [
                    *rulings[candidate.name].reasons,
                    _why_second(candidate, winner, gates, quality, measurement),
                ],
            )
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


def _why_not_eligible(candidate: Candidate, measurement: Measurement | None) -> str | None:
    if candidate.role == "control":
        return "control: trained to compare with, never promoted"
    if candidate.runtime == "pytorch":
        return "reference: measured to compare with; what is served runs in ONNX Runtime"
    if measurement is None:
        return "not measured"
    return None


def _ruling(candidate: Candidate, eligible: bool, passed: bool, reasons: Sequence[str]) -> Ruling:
    return Ruling(
        candidate_name=candidate.name,
        candidate_digest=candidate.digest,
        eligible=eligible,
        passed=passed,
        reasons=tuple(reasons),
    )


def _through_gates(
    gates: Gates,
    candidate: Candidate,
    quality: Quality,
    measurement: Measurement,
    reference_quality: Quality,
    reference_measurement: Measurement,
) -> tuple[list[str], list[str]]:
    """What held and what broke, in words."""
    kept: list[str] = []
    broken: list[str] = []

    def gate(name: str, holds: bool, value: str, relation: tuple[str, str], limit: str) -> None:
        sign = relation[0] if holds else relation[1]
        (kept if holds else broken).append(f"{name} {value} {sign} {limit}")

    at_least, at_most = ("≥", "<"), ("≤", ">")
    if gates.accuracy_kept_min is not None:
        # of a teacher that ranks no better than chance nothing can be kept
        share = quality.merit / reference_quality.merit if reference_quality.merit > 0 else 0.0
        gate(
            f"{_MERIT[quality.label_kind]} kept",
            share >= gates.accuracy_kept_min - _ROUNDING,
            f"{share:.2%}",
            at_least,
            f"{gates.accuracy_kept_min:.2%}",
        )
    if gates.accuracy_min is not None:
        gate(
            _MERIT[quality.label_kind],
            quality.merit >= gates.accuracy_min,
            _written(quality, quality.merit),
            at_least,
            _written(quality, gates.accuracy_min),
        )
    if gates.latency_p95_ms_max is not None:
        p95 = percentile(measurement.latencies_ms, 0.95)
        if p95 is None:
            broken.append("too few requests were timed for a p95; raise benchmark.requests")
        else:
            gate(
                "p95",
                p95.value <= gates.latency_p95_ms_max,
                f"{p95.value:.2f} ms",
                at_most,
                f"{gates.latency_p95_ms_max:.2f} ms",
            )
    if gates.size_bytes_max is not None:
        gate(
            "size",
            candidate.size_bytes <= gates.size_bytes_max,
            f"{candidate.size_bytes:,} bytes",
            at_most,
            f"{gates.size_bytes_max:,} bytes",
        )
    if gates.speedup_min is not None:
        speedup = _p50(reference_measurement) / _p50(measurement)
        gate(
            "speed-up",
            speedup >= gates.speedup_min,
            f"{speedup:.1f}×",
            at_least,
            f"{gates.speedup_min:.1f}×",
        )
    if gates.cost_per_million_usd_max is not None:
        cost = measurement.cost_per_million_usd
        if cost is None:
            broken.append("no rate held the p99 objective, so that a million has no cost")
        else:
            gate(
                "cost per million",
                cost <= gates.cost_per_million_usd_max,
                f"${cost:.4g}",
                at_most,
                f"${gates.cost_per_million_usd_max:.4g}",
            )
    return kept or ["no gate limits it"], broken


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
                f"({_written(best, best.merit)})"
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


def _written(quality: Quality, merit: float) -> str:
    return f"{merit:.2%}" if quality.label_kind == "class" else f"{merit:.4f}"


def _p50(measurement: Measurement) -> float:
    return float(np.median(measurement.latencies_ms))
