"""What a model must pass, asked of facts. Pure.

The judge asks here when a run ends, and so does whoever moves an alias later.
"""

from distillery.nouns import Facts, LabelKind
from distillery.recipe import Gates

CONTROL = "control: trained to compare with, never promoted"

_MERIT: dict[LabelKind, str] = {"class": "accuracy", "score": "Spearman ρ"}

# 1026 of 5500 is 95 % of 1080 of 5500, and as quotients of floats a hair below
_ROUNDING = 1e-9


def through_gates(gates: Gates, facts: Facts) -> tuple[list[str], list[str]]:
    """What held and what broke, in words. A graph whose parity failed passes nothing."""
    if facts.parity_failure is not None:
        return [], [facts.parity_failure]
    kept: list[str] = []
    broken: list[str] = []

    def gate(name: str, holds: bool, value: str, relation: tuple[str, str], limit: str) -> None:
        sign = relation[0] if holds else relation[1]
        (kept if holds else broken).append(f"{name} {value} {sign} {limit}")

    def unknown(name: str) -> None:
        broken.append(f"{name} is not known")

    at_least, at_most = ("≥", "<"), ("≤", ">")
    merit = _MERIT[facts.label_kind]
    if gates.accuracy_kept_min is not None:
        if facts.merit_kept is None:
            unknown(f"{merit} kept")
        else:
            gate(
                f"{merit} kept",
                facts.merit_kept >= gates.accuracy_kept_min - _ROUNDING,
                f"{facts.merit_kept:.2%}",
                at_least,
                f"{gates.accuracy_kept_min:.2%}",
            )
    if gates.accuracy_min is not None:
        if facts.merit is None:
            unknown(merit)
        else:
            gate(
                merit,
                facts.merit >= gates.accuracy_min,
                written(facts.label_kind, facts.merit),
                at_least,
                written(facts.label_kind, gates.accuracy_min),
            )
    if gates.latency_p95_ms_max is not None:
        if facts.latency_p95_ms is None:
            broken.append("too few requests were timed for a p95; raise benchmark.requests")
        else:
            gate(
                "p95",
                facts.latency_p95_ms <= gates.latency_p95_ms_max,
                f"{facts.latency_p95_ms:.2f} ms",
                at_most,
                f"{gates.latency_p95_ms_max:.2f} ms",
            )
    if gates.size_bytes_max is not None:
        if facts.size_bytes is None:
            unknown("size")
        else:
            gate(
                "size",
                facts.size_bytes <= gates.size_bytes_max,
                f"{facts.size_bytes:,} bytes",
                at_most,
                f"{gates.size_bytes_max:,} bytes",
            )
    if gates.speedup_min is not None:
        if facts.speedup is None:
            unknown("speed-up")
        else:
            gate(
                "speed-up",
                facts.speedup >= gates.speedup_min,
                f"{facts.speedup:.1f}×",
                at_least,
                f"{gates.speedup_min:.1f}×",
            )
    if gates.cost_per_million_usd_max is not None:
        if facts.cost_per_million_usd is None:
            broken.append("no rate held the p99 objective, so that a million has no cost")
        else:
            gate(
                "cost per million",
                facts.cost_per_million_usd <= gates.cost_per_million_usd_max,
                f"${facts.cost_per_million_usd:.4g}",
                at_most,
                f"${gates.cost_per_million_usd_max:.4g}",
            )
    return kept or ([] if broken else ["no gate limits it"]), broken


def written(label_kind: LabelKind, merit: float) -> str:
    """An accuracy as a percentage, a rank correlation as the number it is."""
    return f"{merit:.2%}" if label_kind == "class" else f"{merit:.4f}"
