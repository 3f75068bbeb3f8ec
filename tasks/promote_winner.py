"""Move the alias, on a passed verdict only."""

from collections.abc import Sequence

from distillery.nouns import RegisteredVersion, Verdict
from distillery.registry import promotion
from tasks.step import fresh_step, recorded


@fresh_step
def promote_winner(
    verdict: Verdict, versions: Sequence[RegisteredVersion], model: str
) -> tuple[RegisteredVersion, ...]:
    """The versions as they stand afterwards, with their aliases."""
    with recorded("promote") as run:
        run.tags({"verdict": verdict.summary})
        return promotion.carry_out(verdict, versions, model)
