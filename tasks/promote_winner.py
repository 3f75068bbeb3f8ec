"""Move the alias, on a passed verdict only, and serve the winner where the recipe says."""

from collections.abc import Sequence

from distillery.deployment.base import Place
from distillery.nouns import RegisteredVersion, Verdict
from distillery.recipe import Gates
from distillery.registry import promotion
from distillery.registry.promotion import Promotion
from tasks.one_decision import asked, one_at_a_time
from tasks.step import fresh_step, recorded


@fresh_step
def promote_winner(
    verdict: Verdict,
    versions: Sequence[RegisteredVersion],
    model: str,
    gates: Gates,
    place: Place | None,
) -> Promotion:
    """The versions as they stand afterwards, with their aliases, and what became of the winner."""
    with recorded("promote") as run, one_at_a_time(model):
        run.tags({"verdict": verdict.summary})
        done = promotion.carry_out(
            verdict, versions, model, gates=gates, place=place, asked=asked("")
        )
        if done.decision is not None:
            run.tags({"decision": done.decision.summary})
        return done
