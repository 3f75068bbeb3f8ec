"""A verdict carried out in the registry."""

from collections.abc import Sequence

from distillery import tracking
from distillery.deployment.base import Place
from distillery.noun import Noun
from distillery.nouns import Decision, RegisteredVersion, Ruling, Verdict
from distillery.recipe import Gates
from distillery.registry import decisions, policy
from distillery.registry.decisions import Asked
from distillery.registry.recheck import FACT_TAGS, as_tags


class Promotion(Noun):
    """What a verdict came to."""

    versions: tuple[RegisteredVersion, ...]
    """As they stand afterwards, with their aliases."""
    decision: Decision | None
    """About the winner; None where there is none."""


def carry_out(
    verdict: Verdict,
    versions: Sequence[RegisteredVersion],
    model: str,
    *,
    gates: Gates,
    place: Place | None,
    asked: Asked,
) -> Promotion:
    """The model knows its gates and its place, every judged version its facts and its ruling; the
    winner is asked for as anyone would ask for it. Repeating it changes nothing.
    """
    policy.write(model, gates, place)
    by_digest = {version.candidate_digest: version for version in versions}
    for ruling in verdict.rulings:
        version = by_digest.get(ruling.candidate_digest)
        if version is None and ruling.eligible:  # the reigning champion, of an earlier run
            version = tracking.find_version(model, ruling.candidate_digest)
        if version is not None:
            _tell_ruling(version, ruling, _word(ruling, verdict))
            by_digest[ruling.candidate_digest] = version
    decision = None
    if verdict.winner_digest is not None:
        winner = by_digest[verdict.winner_digest]
        decision = decisions.request(model, winner.version, asked)
    found = (tracking.find_version(model, version.candidate_digest) for version in versions)
    return Promotion(
        versions=tuple(version for version in found if version is not None), decision=decision
    )


def _tell_ruling(version: RegisteredVersion, ruling: Ruling, word: str) -> None:
    """The facts of this run take the place of an earlier one's, which other gates were asked of."""
    tags = {"distillery.verdict": word, "distillery.reasons": "; ".join(ruling.reasons)[:4000]}
    if ruling.facts is not None:
        facts = as_tags(ruling.facts)
        for stale in FACT_TAGS & tracking.tags_of(version).keys() - facts.keys():
            tracking.untag_version(version, stale)
        tags |= facts
    tracking.tag_version(version, tags)


def _word(ruling: Ruling, verdict: Verdict) -> str:
    if ruling.candidate_digest == verdict.winner_digest:
        return "champion"
    return "passed" if ruling.passed else "refused"
