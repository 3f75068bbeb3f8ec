"""A version's gates asked again, from what stands in its tags. Pure.

Whoever moves an alias, today or in a year, is answered as the judge answered: the facts that were
judged are the version's tags, and the gates are the registered model's.
"""

import math
from collections.abc import Mapping

from distillery.gating import CONTROL, through_gates
from distillery.noun import Noun
from distillery.nouns import Facts
from distillery.recipe import Gates

_PREFIX = "distillery."
_FACTS = (
    "accuracy",
    "spearman",
    "accuracy_kept",
    "latency_p95_ms",
    "size_bytes",
    "speedup",
    "cost_per_million_usd",
    "parity_failure",
)
FACT_TAGS = frozenset(_PREFIX + name for name in _FACTS)
"""All that ``as_tags`` may write."""

# what each gate asks about, as a tag; of the first, whichever the model has
_NEEDS = {
    "accuracy_kept_min": ("accuracy_kept",),
    "accuracy_min": ("accuracy", "spearman"),
    "latency_p95_ms_max": ("latency_p95_ms",),
    "size_bytes_max": ("size_bytes",),
    "speedup_min": ("speedup",),
    "cost_per_million_usd_max": ("cost_per_million_usd",),
}


class Recheck(Noun):
    """Whether a version may be champion, and why or why not."""

    passed: bool
    reasons: tuple[str, ...]


def recheck(gates: Gates, tags: Mapping[str, str]) -> Recheck:
    """``tags`` are all of the version's. Never raises: what cannot be read is a reason."""
    for name in ("digest", "role"):
        if not tags.get(_PREFIX + name):
            return _refused(f"not registered by distillery: it has no tag {_PREFIX}{name}")
    if tags[f"{_PREFIX}role"] == "control":
        return _refused(CONTROL)
    try:
        facts = from_tags(tags)
    except ValueError as error:
        return _refused(str(error))
    if facts.parity_failure is None:
        lacking = [
            f"the gate {gate} needs the tag {_PREFIX}{names[0]}, which this version lacks: it was "
            "not measured beside its teacher"
            for gate, names in _NEEDS.items()
            if getattr(gates, gate) is not None
            and not any(f"{_PREFIX}{name}" in tags for name in names)
        ]
        if lacking:
            return _refused(*lacking)
    kept, broken = through_gates(gates, facts)
    return Recheck(passed=not broken, reasons=tuple(broken or kept))


def as_tags(facts: Facts) -> dict[str, str]:
    """What ``from_tags`` reads back, exactly enough for every gate; unknown ones are left out."""
    numbers = {
        "spearman" if facts.label_kind == "score" else "accuracy": facts.merit,
        "accuracy_kept": facts.merit_kept,
        "latency_p95_ms": facts.latency_p95_ms,
        "size_bytes": facts.size_bytes,
        "speedup": facts.speedup,
        "cost_per_million_usd": facts.cost_per_million_usd,
    }
    tags = {name: f"{value:.12g}" for name, value in numbers.items() if value is not None}
    if facts.size_bytes is not None:
        tags["size_bytes"] = str(facts.size_bytes)
    if facts.parity_failure is not None:
        tags["parity_failure"] = facts.parity_failure
    return {_PREFIX + name: value for name, value in tags.items()}


def from_tags(tags: Mapping[str, str]) -> Facts:
    """Raises ``ValueError``, one line, for a tag that should be a number and is none."""
    size_bytes = _number(tags, "size_bytes")
    of_scores = f"{_PREFIX}spearman" in tags
    return Facts(
        label_kind="score" if of_scores else "class",
        merit=_number(tags, "spearman" if of_scores else "accuracy"),
        merit_kept=_number(tags, "accuracy_kept"),
        latency_p95_ms=_number(tags, "latency_p95_ms"),
        size_bytes=None if size_bytes is None else int(size_bytes),
        speedup=_number(tags, "speedup"),
        cost_per_million_usd=_number(tags, "cost_per_million_usd"),
        parity_failure=tags.get(f"{_PREFIX}parity_failure") or None,
    )


def _number(tags: Mapping[str, str], name: str) -> float | None:
    written = tags.get(_PREFIX + name)
    if written is None:
        return None
    try:
        value = float(written)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"its tag {_PREFIX}{name} is no number: '{written[:40]}'")
    return value


def _refused(*reasons: str) -> Recheck:
    return Recheck(passed=False, reasons=reasons)
