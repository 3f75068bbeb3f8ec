"""What housekeeping deletes, in rows and in words."""

from distillery.housekeeping.keeping import Tidied
from distillery.housekeeping.retention import Plan
from distillery.report import units

_MOST_ROWS = 500


def plan_rows(plan: Plan) -> list[dict[str, str]]:
    """One a thing; of very many the first, and how many more."""
    rows = [
        {
            "what": removal.kind,
            "name": removal.name,
            "size": units.size(removal.size_bytes),
            "why": removal.why,
        }
        for removal in plan.removals[:_MOST_ROWS]
    ]
    more = len(plan.removals) - len(rows)
    if more:
        rows.append({"what": "…", "name": f"{more:,} more", "size": "", "why": ""})
    return rows


def summary(tidied: Tidied) -> list[str]:
    """Lines: how much, what stays and why, what somebody else has to do."""
    plan = tidied.plan
    size = units.size(plan.size_bytes)
    if not plan.removals:
        lines = ["Nothing is old enough to be deleted."]
    elif tidied.applied:
        lines = [f"{tidied.removed:,} of {len(plan.removals):,} things are gone, up to {size}."]
    else:
        lines = [
            f"{len(plan.removals):,} things would go, {size}. Nothing is deleted yet: "
            "that takes --apply (or dry_run off)."
        ]
    if any(removal.size_bytes is None for removal in plan.removals):
        lines.append("Sizes that cannot be seen from here are not counted.")
    lines += [f"{one.name} stays: {one.why}." for one in tidied.skipped]
    lines += [f"{one[0].upper()}{one[1:]}." for one in plan.told]
    if plan.kept:
        kept = ", ".join(f"{one.name} ({one.why})" for one in plan.kept[:20])
        more = f", and {len(plan.kept) - 20} more" if len(plan.kept) > 20 else ""
        lines.append(f"Versions that stay: {kept}{more}.")
    if tidied.to_do:
        lines.append(f"Files in MLflow's bin still take space; {tidied.to_do}.")
    return lines
