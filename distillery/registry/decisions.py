"""The alias ``champion`` is a wish; here it is granted or refused.

A granted one is deployed, where the model has a place, and becomes the model's accepted version;
of a refused one the reasons stand on the version, and the alias goes back. Writes are so ordered
that whoever comes next, after a crash at any of them, ends where this would have ended:

    request   the version says who asked → the alias moves → it is followed
    follow    who asked, unless it says so → gates → content → the place → ``previous`` → why
              → the model's accepted version → the version's decision
    refuse    why, and the decision → the alias goes back

The accepted version is never refused: it passed, and is served again wherever it is not. Where it
cannot be, the decision is ``failed``, the alias stays, and the next one tries again.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from distillery import tracking
from distillery.deployment.base import DeploymentError, Served
from distillery.errors import UserError
from distillery.noun import Noun
from distillery.nouns import Decision, Outcome, RegisteredVersion
from distillery.registry import policy
from distillery.registry.lock import only_one
from distillery.registry.policy import Policy
from distillery.registry.recheck import recheck

log = logging.getLogger(__name__)

REQUESTED_BY, DECISION = "distillery.requested_by", "distillery.decision"
REASONS, FLOW_RUN = "distillery.decision_reasons", "distillery.decision_flow_run_id"
DEPLOYED_AT = "distillery.deployed_at"

_REQUESTED = "requested"
_LONGEST_REASONS = 4000


class Asked(Noun):
    """Who wants it decided, as far as is known, and in which flow run."""

    requested_by: str
    flow_run_id: str


def request(
    model: str, number: str, asked: Asked, policy_of: Callable[[str], Policy] = policy.read
) -> Decision:
    """``champion`` moves to this version, if it passes the model's gates, and is followed.

    Raises ``UserError`` where there is no such version.
    """
    with only_one(model):
        return _request(model, number, asked, policy_of)


def roll_back(
    model: str, asked: Asked, policy_of: Callable[[str], Policy] = policy.read
) -> Decision:
    """``champion`` moves back to ``previous``, as ``request`` would move it.

    ``previous`` stays, so that a repetition changes nothing. Raises ``UserError`` where there is
    none.
    """
    with only_one(model):
        return _request(model, before_champion(model).version, asked, policy_of)


def before_champion(model: str) -> RegisteredVersion:
    """What ``roll_back`` goes back to. Raises ``UserError`` where there is none."""
    found = tracking.version_by_alias(model, tracking.PREVIOUS)
    if found is None:
        raise UserError(
            f"'{model}' has no version before its champion (no alias {tracking.PREVIOUS}); name "
            f"one: distillery promote {model} VERSION"
        )
    return found


def follow(model: str, asked: Asked, policy_of: Callable[[str], Policy] = policy.read) -> Decision:
    """What is served follows ``champion``, or ``champion`` goes back. Repeatable."""
    with only_one(model):
        return _follow(model, asked, policy_of)


def is_settled(model: str, policy_of: Callable[[str], Policy] = policy.read) -> bool:
    """Whether ``follow`` would find nothing to do: cheap, and without waiting for anybody."""
    known = policy_of(model)
    wish = tracking.champion(model)
    if wish is None:
        return True
    if wish.version != known.accepted or tracking.tags_of(wish).get(DECISION) == _REQUESTED:
        return False
    return known.place is None or _is_served(wish, _serving(known))


def _request(model: str, number: str, asked: Asked, policy_of: Callable[[str], Policy]) -> Decision:
    known = policy_of(model)
    version = tracking.version_by_number(model, number)
    if version is None:
        raise UserError(f"there is no version '{number}' of the registered model '{model}'")
    reigning = tracking.champion(model)
    if reigning is None or (reigning.version, known.accepted) != (version.version,) * 2:
        ruling = recheck(known.gates, tracking.tags_of(version))
        if not ruling.passed:
            return _refused(version, ruling.reasons, asked)
        _write_ahead(version, asked)
        tracking.set_alias(version, tracking.CHAMPION)
    return _follow(model, asked, policy_of)


def _follow(model: str, asked: Asked, policy_of: Callable[[str], Policy]) -> Decision:
    known = policy_of(model)
    wish = tracking.champion(model)
    served = _serving(known)
    if wish is None:
        still = f"; version {served.version} is served on" if served else ""
        return Decision(
            model=model,
            version=None,
            outcome="unchanged",
            reasons=(f"no version has the alias {tracking.CHAMPION}{still}",),
            requested_by=asked.requested_by,
            champion=None,
            address=served.address if served else None,
        )
    tags = tracking.tags_of(wish)
    if tags.get(DECISION) == _REQUESTED:  # here, or by somebody who was cut off
        asked = asked.model_copy(update={"requested_by": tags[REQUESTED_BY]})
    elif wish.version != known.accepted:
        _write_ahead(wish, asked)
    if wish.version == known.accepted:
        return _kept(wish, known, served, tags, asked)
    ruling = recheck(known.gates, tags)
    if not ruling.passed:
        return _put_back(wish, known, served, ruling.reasons, asked, policy_of)
    try:
        if known.place is not None and not _is_served(wish, served):
            _check_content(wish)
            served = _deployed(wish, known)
    except DeploymentError as error:
        return _put_back(wish, known, served, (str(error),), asked, policy_of)
    return _accepted(wish, known, served, ruling.reasons, asked)


def _kept(
    wish: RegisteredVersion,
    known: Policy,
    served: Served | None,
    tags: Mapping[str, str],
    asked: Asked,
) -> Decision:
    """The accepted version: served again where it is not, its decision told where it was not."""
    again = known.place is not None and not _is_served(wish, served)
    if again:
        try:
            served = _deployed(wish, known)
        except DeploymentError as error:
            log.error("%s is champion, and does not serve: %s", wish.uri, error)
            return _decision(wish, "failed", (str(error),), asked, champion=wish.version)
        tracking.tag_version(wish, {DEPLOYED_AT: _now()})
        log.info("%s is served again", wish.uri)
    if tags.get(DECISION) == _REQUESTED:
        tracking.tag_version(wish, {DECISION: "deployed" if served else "accepted"})
    outcome: Outcome = "deployed" if again else "unchanged"
    return _decision(
        wish, outcome, ("it was accepted before",), asked, champion=wish.version, served=served
    )


def _accepted(
    wish: RegisteredVersion,
    known: Policy,
    served: Served | None,
    reasons: tuple[str, ...],
    asked: Asked,
) -> Decision:
    before = known.accepted and tracking.version_by_number(wish.model, known.accepted)
    # one that went back leaves ``previous`` on itself: going back twice is going back once
    if before and tracking.PREVIOUS not in wish.aliases:
        tracking.set_alias(before, tracking.PREVIOUS)
    outcome: Outcome = "accepted" if served is None else "deployed"
    tags = {} if served is None else {DEPLOYED_AT: _now()}
    tracking.tag_version(wish, tags | _why(reasons, asked))
    policy.accept(wish.model, wish.version)
    tracking.tag_version(wish, {DECISION: outcome})
    log.info("%s is champion of %s", wish.uri, wish.model)
    return _decision(wish, outcome, reasons, asked, champion=wish.version, served=served)


def _refused(version: RegisteredVersion, reasons: tuple[str, ...], asked: Asked) -> Decision:
    """Told on the version; the alias was not there, or goes back next."""
    tracking.tag_version(version, {**_why(reasons, asked), DECISION: "refused"})
    log.warning("%s is refused: %s", version.uri, "; ".join(reasons))
    reigning = tracking.champion(version.model)
    champion = reigning.version if reigning else None
    return _decision(version, "refused", reasons, asked, champion=champion)


def _put_back(
    wish: RegisteredVersion,
    known: Policy,
    served: Served | None,
    reasons: tuple[str, ...],
    asked: Asked,
    policy_of: Callable[[str], Policy],
) -> Decision:
    """The alias goes to what is served, or was accepted, or away; unless someone moved it on."""
    refused = _refused(wish, reasons, asked)
    if refused.champion != wish.version:
        return refused
    numbers = [served.version if served else None, known.accepted]
    found = (
        tracking.version_by_number(wish.model, number)
        for number in numbers
        if number and number != wish.version
    )
    target = next((version for version in found if version is not None), None)
    if target is None:
        tracking.remove_alias(wish.model, tracking.CHAMPION)
        return refused.model_copy(update={"champion": None})
    tracking.set_alias(target, tracking.CHAMPION)
    settled = _follow(wish.model, asked, policy_of)
    return refused.model_copy(update={"champion": settled.champion})


def _deployed(wish: RegisteredVersion, known: Policy) -> Served | None:
    """Raises ``DeploymentError`` where it does not serve, or something else does."""
    if known.place is None:
        return None
    served = known.place.deploy(wish)
    if served.digest != wish.candidate_digest:
        raise DeploymentError(
            f"{served.address} answers with content {served.digest[:12]}, and not with this "
            f"version's, {wish.candidate_digest[:12]}"
        )
    return served


def _check_content(wish: RegisteredVersion) -> None:
    """What would be served is what was measured. Raises ``DeploymentError``."""
    try:
        found = tracking.download(wish).digest
    except UserError as error:
        raise DeploymentError(str(error)) from error
    if found != wish.candidate_digest:
        raise DeploymentError(
            f"its content is not what was registered: it hashes to {found[:12]}, and its tag says "
            f"{wish.candidate_digest[:12]}"
        )


def _serving(known: Policy) -> Served | None:
    return known.place.serving(known.model) if known.place else None


def _is_served(wish: RegisteredVersion, served: Served | None) -> bool:
    return served is not None and served.digest == wish.candidate_digest


def _decision(
    version: RegisteredVersion,
    outcome: Outcome,
    reasons: tuple[str, ...],
    asked: Asked,
    *,
    champion: str | None,
    served: Served | None = None,
) -> Decision:
    return Decision(
        model=version.model,
        version=version.version,
        outcome=outcome,
        reasons=reasons,
        requested_by=asked.requested_by,
        champion=champion,
        address=served.address if served else None,
    )


def _write_ahead(version: RegisteredVersion, asked: Asked) -> None:
    """Who asked, before anything moves: whoever goes on after a crash tells it."""
    tracking.tag_version(version, {REQUESTED_BY: asked.requested_by, DECISION: _REQUESTED})


def _why(reasons: tuple[str, ...], asked: Asked) -> dict[str, str]:
    return {
        REQUESTED_BY: asked.requested_by,
        REASONS: "; ".join(reasons)[:_LONGEST_REASONS],
        FLOW_RUN: asked.flow_run_id,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
