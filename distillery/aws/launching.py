"""Starting one instance: zone by zone, market by market, until there is room for it."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from distillery import digests
from distillery.aws import tags
from distillery.aws.families import family_of
from distillery.aws.nouns import GRACE_MINUTES, Plan, Planned
from distillery.aws.session import Session, clear_errors, code_of
from distillery.errors import NoMeasurementError, UserError
from distillery.measurements import Instance, Market

log = logging.getLogger(__name__)

_NEXT_ZONE = {"InsufficientInstanceCapacity", "InsufficientHostCapacity", "Unsupported"}
_NEXT_MARKET = {"MaxSpotInstanceCountExceeded", "SpotMaxPriceTooLow"}
_QUOTA = {"VcpuLimitExceeded", "InstanceLimitExceeded"}


def launch(
    session: Session,
    plan: Plan,
    planned: Planned,
    *,
    run: str,
    user_data: str,
    markets: Sequence[Market],
) -> Instance:
    """The first instance for which there is room.

    Raises ``NoMeasurementError`` where there is none in any zone and market, and ``UserError`` at
    once for a quota, a permission, or anything else that another zone would not mend.
    """
    instance_type = planned.offering.instance_type
    full = []
    for market in markets:
        for zone, subnet in plan.place.within(planned.offering.zones):
            asked = request(
                plan, planned, run=run, user_data=user_data, market=market, subnet=subnet
            )
            # what is asked twice is one instance: EC2 knows the token
            asked["ClientToken"] = digests.of_json([run, market, zone, user_data])[:64]
            try:
                found = _started(session, planned, market, asked)
            except ClientError as error:
                code = code_of(error)
                full.append(f"{zone} {market.replace('_', ' ')} ({code})")
                log.info("no room for %s in %s, %s: %s", instance_type, zone, market, code)
                if code in _NEXT_MARKET:
                    break
                continue
            log.info("started %s, a %s in %s", found["InstanceId"], instance_type, zone)
            return describe(found, plan, planned)
    raise NoMeasurementError(
        f"there is no room for {instance_type} in {plan.region} now: {', '.join(full)}; try again "
        "later, allow aws.markets [on_demand, spot], or choose another type"
    )


def _started(
    session: Session, planned: Planned, market: Market, asked: dict[str, Any]
) -> dict[str, Any]:
    """Raises ``ClientError`` where another zone or market may have room."""
    instance_type = planned.offering.instance_type
    # a lack of room is HTTP 500, which botocore would ask again for, in the same full zone
    ec2 = session.client("ec2", attempts=1)
    with clear_errors(f"{instance_type} cannot be started"):
        try:
            started: dict[str, Any] = ec2.run_instances(**asked)["Instances"][0]
            return started
        except ClientError as error:
            code = code_of(error)
            if code in _QUOTA:
                quota = family_of(instance_type).quotas[market]
                raise UserError(
                    f"{instance_type} cannot be started: the quota '{quota.name}' ({quota.code}) "
                    f"in {session.region} is used up; wait for other instances to end, or ask for "
                    "more on the Service Quotas page"
                ) from error
            if code not in _NEXT_ZONE | _NEXT_MARKET:
                raise
            no_room = error
    raise no_room


def request(
    plan: Plan, planned: Planned, *, run: str, user_data: str, market: Market, subnet: str
) -> dict[str, Any]:
    """What EC2 is asked for. It ends by itself, and nobody can reach it."""
    aws, image = plan.aws, planned.image
    instance_type = planned.offering.instance_type
    bears = tags.tags(
        name=f"distillery benchmark {instance_type}",
        run=run,
        owner=plan.arn,
        expires_at=datetime.now(UTC) + timedelta(minutes=aws.minutes_max + GRACE_MINUTES),
    )
    asked: dict[str, Any] = {
        "ImageId": image.image_id,
        "InstanceType": instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "UserData": user_data,
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "HttpEndpoint": "enabled",
        },
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "SubnetId": subnet,
                "AssociatePublicIpAddress": True,
                "DeleteOnTermination": True,
                "Groups": [plan.place.security_group_id],
            }
        ],
        "BlockDeviceMappings": [
            {
                "DeviceName": image.root_device,
                "Ebs": {
                    "VolumeType": "gp3",
                    "VolumeSize": max(_DISK_GIB[family_of(instance_type).device], image.root_gib),
                    "Encrypted": True,
                    "DeleteOnTermination": True,
                },
            }
        ],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": bears} for kind in ("instance", "volume")
        ],
    }
    if market == "spot":
        asked["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {
                "SpotInstanceType": "one-time",
                "InstanceInterruptionBehavior": "terminate",
            },
        }
    return asked


# room for CUDA's libraries, and for Neuron's compiler
_DISK_GIB = {"cpu": 30, "cuda": 80, "neuron": 120}


def describe(found: dict[str, Any], plan: Plan, planned: Planned) -> Instance:
    """An instance as EC2 tells of it."""
    return Instance(
        instance_type=planned.offering.instance_type,
        region=plan.region,
        zone=found["Placement"]["AvailabilityZone"],
        market="spot" if found.get("InstanceLifecycle") == "spot" else "on_demand",
        instance_id=found["InstanceId"],
        image_id=found["ImageId"],
        price=planned.price,
    )
