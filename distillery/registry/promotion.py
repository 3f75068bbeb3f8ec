"""A verdict carried out in the registry."""

import logging
from collections.abc import Sequence

from distillery import tracking
from distillery.nouns import RegisteredVersion, Verdict

log = logging.getLogger(__name__)


def carry_out(
    verdict: Verdict, versions: Sequence[RegisteredVersion], model: str
) -> tuple[RegisteredVersion, ...]:
    """Tag every judged version with its ruling; move ``champion`` to the winner.

    Returns the versions as they stand afterwards. Repeating it changes nothing.
    """
    by_digest = {version.candidate_digest: version for version in versions}
    for ruling in verdict.rulings:
        version = by_digest.get(ruling.candidate_digest)
        if version is not None:
            tracking.tag_version(
                version,
                {
                    "distillery.verdict": _word(ruling.candidate_digest, ruling.passed, verdict),
                    "distillery.reasons": "; ".join(ruling.reasons)[:4000],
                },
            )
    if verdict.winner_digest is not None and not verdict.champion_unchanged:
        winner = by_digest[verdict.winner_digest]
        tracking.promote(winner)
        log.info("%s is champion of %s", winner.uri, model)
    found = (tracking.find_version(model, version.candidate_digest) for version in versions)
    return tuple(version for version in found if version is not None)


def _word(digest: str, passed: bool, verdict: Verdict) -> str:
    if digest == verdict.winner_digest:
        return "champion"
    return "passed" if passed else "refused"
