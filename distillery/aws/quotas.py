"""How many vCPUs the account may run, asked before anything starts."""

from collections.abc import Sequence

from botocore.exceptions import ClientError

from distillery.aws.families import Quota, family_of
from distillery.aws.nouns import Offering
from distillery.aws.session import Session, clear_errors, code_of
from distillery.errors import UserError
from distillery.measurements import Market


def check(
    session: Session,
    offerings: Sequence[Offering],
    *,
    markets: Sequence[Market],
    max_parallel: int,
) -> dict[str, int]:
    """vCPUs allowed, by the name of each quota that counts.

    Raises ``UserError`` that names the quota where it is too small for what would run at once.
    """
    counted: dict[Quota, list[int]] = {}
    for offering in offerings:
        for market in markets:
            quota = family_of(offering.instance_type).quotas[market]
            counted.setdefault(quota, []).append(offering.vcpus)
    allowed = {}
    for quota, vcpus in counted.items():
        limit = _vcpus(session, quota)
        largest, at_once = max(vcpus), sum(sorted(vcpus, reverse=True)[:max_parallel])
        if limit < largest:
            raise UserError(
                f"the quota '{quota.name}' ({quota.code}) in {session.region} is {limit} vCPUs, "
                f"and {largest} are needed; ask for more on the Service Quotas page, or choose "
                "smaller types"
            )
        if limit < at_once:
            raise UserError(
                f"the quota '{quota.name}' ({quota.code}) in {session.region} is {limit} vCPUs, "
                f"and {at_once} would run at once; lower aws.max_parallel, or ask for more"
            )
        allowed[quota.name] = limit
    return allowed


def _vcpus(session: Session, quota: Quota) -> int:
    quotas = session.client("service-quotas")
    with clear_errors(f"the quota '{quota.name}' ({quota.code}) cannot be read"):
        try:
            found = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=quota.code)
        except ClientError as error:
            if code_of(error) != "NoSuchResourceException":
                raise
            # nobody ever asked for another number
            found = quotas.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=quota.code)
        return int(found["Quota"]["Value"])
