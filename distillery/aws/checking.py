"""What is missing before the first benchmark on AWS, each thing in one line; changes nothing."""

from collections.abc import Callable, Sequence

from botocore.exceptions import ClientError
from pydantic import Field

from distillery.aws import images, launching, offerings, places, prices, quotas, sweeping
from distillery.aws.nouns import Offering, Plan, Planned
from distillery.aws.session import Session, clear_errors, code_of, open_session
from distillery.aws.settings import Aws
from distillery.errors import UserError
from distillery.noun import Noun

_ALLOWED = "DryRunOperation"


class Checked(Noun):
    """One thing that a benchmark needs."""

    what: str
    found: str = Field(description="Empty where it is missing.")
    problem: str = Field(default="", description="What is missing, and the mend.")

    @property
    def is_missing(self) -> bool:
        """Whether a benchmark would stop here."""
        return bool(self.problem)


def check(aws: Aws, instance_types: Sequence[str]) -> tuple[Checked, ...]:
    """Everything, however much is missing. Without an identity there is nothing more to ask."""
    try:
        session = open_session(aws.region)
    except UserError as error:
        return (Checked(what="identity", found="", problem=str(error)),)
    found = [
        Checked(what="identity", found=f"{session.arn}, account {session.account}"),
        Checked(what="region", found=session.region),
        _checked("bucket", lambda: places.bucket(session, aws)),
        _checked("security group", lambda: places.security_group(session, aws)["GroupId"]),
        _checked("subnets", lambda: ", ".join(places.place(session, aws).subnets)),
    ]
    for instance_type in instance_types:
        found += _of_type(session, aws, instance_type)
    found.append(_checked("left running", lambda: _left(session)))
    return tuple(found)


def _of_type(session: Session, aws: Aws, instance_type: str) -> list[Checked]:
    offered: list[Offering] = []

    def zones() -> str:
        offered.append(offerings.offering(session, instance_type))
        return ", ".join(offered[0].zones)

    found = [_checked(f"{instance_type}: zones", zones)]
    if not offered:
        return found
    (offering,) = offered
    return [
        *found,
        _checked(f"{instance_type}: image", lambda: images.image(session, offering).image_id),
        _checked(f"{instance_type}: quota", lambda: _quota(session, aws, offering)),
        _checked(f"{instance_type}: price", lambda: _price(session, instance_type)),
        _checked(f"{instance_type}: start", lambda: _may_start(session, aws, offering)),
    ]


def _checked(what: str, ask: Callable[[], str]) -> Checked:
    try:
        return Checked(what=what, found=ask())
    except UserError as error:
        return Checked(what=what, found="", problem=str(error))


def _quota(session: Session, aws: Aws, offering: Offering) -> str:
    allowed = quotas.check(session, [offering], markets=aws.markets, max_parallel=1)
    return ", ".join(f"{name}: {vcpus} vCPUs" for name, vcpus in allowed.items())


def _price(session: Session, instance_type: str) -> str:
    found = prices.price(session, instance_type)
    spot = f", ${found.spot_usd_per_hour:.4g} spot" if found.spot_usd_per_hour else ""
    return f"${found.on_demand_usd_per_hour:.4g} an hour{spot} ({found.source}, {found.as_of})"


def _may_start(session: Session, aws: Aws, offering: Offering) -> str:
    """EC2 tells whether a start would be allowed, without starting anything."""
    place = places.place(session, aws)
    planned = Planned(
        offering=offering,
        image=images.image(session, offering),
        price=prices.price(session, offering.instance_type),
        usd_worst=0,
    )
    plan = Plan(
        account=session.account,
        arn=session.arn,
        region=session.region,
        aws=aws,
        place=place,
        quotas={},
        instances=(planned,),
    )
    zones = place.within(offering.zones)
    if not zones:
        raise UserError(f"no subnet in {', '.join(offering.zones)}; add one, or take another type")
    request = launching.request(
        plan, planned, run="check", user_data="", market=aws.markets[0], subnet=zones[0][1]
    )
    with clear_errors(f"{offering.instance_type} could not be started"):
        try:
            session.client("ec2", attempts=1).run_instances(**request, DryRun=True)
        except ClientError as error:
            if code_of(error) != _ALLOWED:
                raise
    return "allowed"


def _left(session: Session) -> str:
    left = sweeping.sweep(session, dry_run=True)
    if not left:
        return "nothing"
    names = ", ".join(f"{one.instance_id} ({one.instance_type})" for one in left)
    return f"{names}; see distillery aws sweep"
