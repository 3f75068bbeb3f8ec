"""What an instance type is, and in which zones it is offered."""

from botocore.exceptions import ClientError

from distillery.aws.nouns import Offering
from distillery.aws.session import Session, clear_errors, code_of
from distillery.errors import UserError

_UNKNOWN_TYPE = {"InvalidInstanceType", "InvalidParameterValue"}


def offering(session: Session, instance_type: str) -> Offering:
    """Raises ``UserError`` where there is no such type, or not in this region."""
    ec2 = session.client("ec2")
    with clear_errors(f"AWS does not tell what {instance_type} is"):
        try:
            found = ec2.describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
        except ClientError as error:
            if code_of(error) not in _UNKNOWN_TYPE:
                raise
            found = []
        zones = [
            one["Location"]
            for page in ec2.get_paginator("describe_instance_type_offerings").paginate(
                LocationType="availability-zone",
                Filters=[{"Name": "instance-type", "Values": [instance_type]}],
            )
            for one in page["InstanceTypeOfferings"]
        ]
    if not found or not zones:
        raise UserError(
            f"{session.region} has no instance type '{instance_type}'; choose another type, or "
            "another aws.region"
        )
    (one,) = found
    architectures = one["ProcessorInfo"]["SupportedArchitectures"]
    return Offering(
        instance_type=instance_type,
        vcpus=one["VCpuInfo"]["DefaultVCpus"],
        architecture="x86_64" if "x86_64" in architectures else architectures[0],
        zones=tuple(sorted(zones)),
    )
