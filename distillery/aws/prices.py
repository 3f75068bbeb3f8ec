"""What an hour of an instance costs: the price list, the spot market, and a dated table."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from distillery.aws.session import Session, clear_errors
from distillery.errors import UserError
from distillery.measurements import Price

log = logging.getLogger(__name__)

# the price list answers in few regions, for all of them
_PRICE_LIST_REGION = "us-east-1"

# on demand, Linux; a public table, not checked against a bill
_TABLE_OF, _TABLE_REGION = "2026-09-01", "us-east-1"
_TABLE_USD_PER_HOUR = {
    "c5.9xlarge": 1.53,
    "c6i.xlarge": 0.17,
    "c7i.xlarge": 0.1785,
    "c7i.2xlarge": 0.357,
    "g4dn.xlarge": 0.526,
    "g4dn.2xlarge": 0.752,
    "g5.xlarge": 1.006,
    "inf1.xlarge": 0.228,
    "inf1.6xlarge": 1.18,
    "inf2.xlarge": 0.7582,
}


def price(session: Session, instance_type: str) -> Price:
    """On demand from the price list, else from the table; on the spot market where it is told.

    Raises ``UserError`` where nobody knows a price: what has none cannot be capped.
    """
    spot = _spot(session, instance_type)
    today = datetime.now(UTC).date().isoformat()
    try:
        on_demand = _on_demand(session, instance_type)
        return Price(
            on_demand_usd_per_hour=on_demand,
            spot_usd_per_hour=spot,
            source="AWS price list",
            as_of=today,
        )
    except UserError as error:
        known = _TABLE_USD_PER_HOUR.get(instance_type)
        if known is None or session.region != _TABLE_REGION:
            raise
        log.warning("%s; the table of %s says $%.4g", error, _TABLE_OF, known)
        return Price(
            on_demand_usd_per_hour=known,
            spot_usd_per_hour=spot,
            source="distillery's table",
            as_of=_TABLE_OF,
        )


def _on_demand(session: Session, instance_type: str) -> float:
    wanted = {
        "instanceType": instance_type,
        "regionCode": session.region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }
    with clear_errors(f"the price of {instance_type} cannot be read"):
        answer = session.client("pricing", region=_PRICE_LIST_REGION).get_products(
            ServiceCode="AmazonEC2",
            Filters=[
                {"Type": "TERM_MATCH", "Field": field, "Value": value}
                for field, value in wanted.items()
            ],
        )
    hourly = {amount for product in answer["PriceList"] for amount in _hourly(json.loads(product))}
    if len(hourly) != 1:
        raise UserError(
            f"the price list has {len(hourly)} hourly prices for {instance_type} in "
            f"{session.region}, not one"
        )
    return hourly.pop()


def _hourly(product: dict[str, Any]) -> list[float]:
    """Those that are not zero: reservations are listed at nothing."""
    amounts = [
        float(dimension["pricePerUnit"]["USD"])
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if dimension["unit"] == "Hrs" and "USD" in dimension["pricePerUnit"]
    ]
    return [amount for amount in amounts if amount > 0]


def _spot(session: Session, instance_type: str) -> float | None:
    """The lowest of the zones, now; None where it is not told."""
    try:
        with clear_errors(f"the spot price of {instance_type} cannot be read"):
            told = session.client("ec2").describe_spot_price_history(
                InstanceTypes=[instance_type],
                ProductDescriptions=["Linux/UNIX"],
                StartTime=datetime.now(UTC),
            )["SpotPriceHistory"]
    except UserError as error:
        log.warning("%s", error)
        return None
    return min((float(one["SpotPrice"]) for one in told), default=None)
