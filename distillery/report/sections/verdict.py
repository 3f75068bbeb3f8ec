"""The page's title and the words below it: what the judge decided."""

from distillery.nouns import Findings
from distillery.report.measure import measure_of

# the table's headings for readers who did not write the recipe
_PREFERENCES = {"latency": "the lowest latency", "size": "the smallest file"}


def tone(findings: Findings) -> str:
    """The style of the page's top: promoted, kept, or nothing."""
    if findings.verdict.winner_digest is None or _is_refused(findings):
        return "nothing"
    return "kept" if findings.verdict.champion_unchanged else "promoted"


def title(findings: Findings) -> str:
    """Who is champion now, in a few words."""
    verdict = findings.verdict
    if verdict.winner_digest is None:
        kept = "; the reigning champion stays" if verdict.champion_unchanged else ""
        return f"Nothing was promoted{kept}"
    if _is_refused(findings):
        return f"{verdict.winner_name} passed, and does not serve"
    if verdict.champion_unchanged:
        return f"{verdict.winner_name} remains champion"
    return f"{verdict.winner_name} is promoted"


def lede(findings: Findings) -> str:
    """The judge's own words, without those that the title says already."""
    if findings.decision is not None and not findings.decision.holds:
        return f"{findings.decision.summary}."
    summary = findings.verdict.summary
    what, colon, why = summary.partition(": ")
    if not colon or not title(findings).startswith(what):
        return summary
    why = why[:1].upper() + why[1:]
    passed = sum(1 for ruling in findings.verdict.rulings if ruling.passed)
    if passed > 1:
        why += (
            f" {passed} candidates passed the gates, and the recipe prefers {preference(findings)}."
        )
    return why


def _is_refused(findings: Findings) -> bool:
    return findings.decision is not None and not findings.decision.holds


def preference(findings: Findings) -> str:
    """What decides among those that passed every gate."""
    preferred = str(findings.gates.get("prefer") or "latency")
    return _PREFERENCES.get(
        preferred, f"the highest {measure_of(findings.dataset.label_kind).name}"
    )
