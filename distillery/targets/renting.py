"""What the instances among the targets would cost, and the session that rents them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from distillery.measurements import Outcome
from distillery.targets.ec2_instance import Ec2Instance
from distillery.targets.named import AnyTarget

if TYPE_CHECKING:
    from distillery.aws.nouns import Plan
    from distillery.aws.session import Session


def rented(targets: Sequence[AnyTarget]) -> list[Ec2Instance]:
    """Those that cost money."""
    return [target for target in targets if isinstance(target, Ec2Instance)]


def plan(targets: Sequence[AnyTarget]) -> "Plan | None":
    """None where nothing is rented. Raises ``UserError`` for what would stop it, a cap included."""
    instances = rented(targets)
    if not instances:
        return None
    return opened(instances)[1]


def opened(instances: Sequence[Ec2Instance]) -> "tuple[Session, Plan]":
    """Who rents, and what. Their AWS settings are one and the same."""
    from distillery.aws import planning
    from distillery.aws.session import open_session

    aws = instances[0].aws
    session = open_session(aws.region)
    return session, planning.plan(session, aws, [one.instance_type for one in instances])


def forget(outcomes: Sequence[Outcome]) -> None:
    """What instances brought back is reported, and need not be found again."""
    regions = {one.run: _region(one) for one in outcomes if one.run is not None}
    if not regions:
        return
    from distillery.aws import running
    from distillery.aws.session import open_session

    for region in set(regions.values()):
        of = [one for one in outcomes if one.run is not None and regions[one.run] == region]
        running.forget(open_session(region), of)


def _region(outcome: Outcome) -> str | None:
    """None, the session's own, where nothing was measured."""
    found = (one.instance.region for one in outcome.measurements if one.instance)
    return next(found, None)
