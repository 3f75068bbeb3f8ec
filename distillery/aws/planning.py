"""What would be rented, and what that could cost at most: told before anything starts."""

from collections.abc import Sequence

from distillery.aws import images, offerings, places, prices, quotas
from distillery.aws.nouns import GRACE_MINUTES, Offering, Plan, Planned
from distillery.aws.session import Session
from distillery.aws.settings import Aws
from distillery.errors import UserError


def plan(session: Session, aws: Aws, instance_types: Sequence[str]) -> Plan:
    """Asks; changes nothing.

    Raises ``UserError`` for what would stop the run, the cost cap included.
    """
    place = places.place(session, aws)
    found = [offerings.offering(session, one) for one in instance_types]
    for one in found:
        if not place.within(one.zones):
            raise UserError(
                f"aws:{one.instance_type} is offered in {', '.join(one.zones)}, and there is a "
                f"subnet in {', '.join(place.subnets)} alone; add a subnet, or choose another type"
            )
    allowed = quotas.check(session, found, markets=aws.markets, max_parallel=aws.max_parallel)
    made = Plan(
        account=session.account,
        arn=session.arn,
        region=session.region,
        aws=aws,
        place=place,
        quotas=allowed,
        instances=tuple(_planned(session, aws, one) for one in found),
    )
    if made.usd_worst > aws.cost_usd_max:
        raise UserError(
            f"this could cost ${made.usd_worst:.2f}, more than aws.cost_usd_max "
            f"${aws.cost_usd_max:.2f}; raise it, lower aws.minutes_max, or name fewer targets"
        )
    return made


def _planned(session: Session, aws: Aws, offering: Offering) -> Planned:
    price = prices.price(session, offering.instance_type)
    # spot is never dearer than on demand, and one that is taken away is paid for as well
    hours = len(aws.markets) * (aws.minutes_max + GRACE_MINUTES) / 60
    return Planned(
        offering=offering,
        image=images.image(session, offering),
        price=price,
        usd_worst=hours * price.on_demand_usd_per_hour,
    )
