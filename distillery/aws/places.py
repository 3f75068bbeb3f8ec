"""What must be there before a benchmark: a bucket, a security group, and subnets to start in."""

from botocore.exceptions import ClientError

from distillery.aws.nouns import Place
from distillery.aws.session import Session, clear_errors, code_of
from distillery.aws.settings import Aws
from distillery.errors import UserError

_DEPLOY = "deploy infra/aws/benchmark.yaml"


def place(session: Session, aws: Aws) -> Place:
    """Raises ``UserError`` for the first thing that is missing."""
    group = security_group(session, aws)
    return Place(
        bucket=bucket(session, aws),
        security_group_id=group["GroupId"],
        subnets=subnets(session, group["VpcId"]),
    )


def bucket(session: Session, aws: Aws) -> str:
    """Its name, if it is there and ours."""
    name = aws.bucket or f"distillery-benchmark-{session.account}-{session.region}"
    s3 = session.client("s3")
    with clear_errors(f"the bucket '{name}' cannot be reached"):
        try:
            # an owner that is not us is refused, so that nothing is ever sent to a stranger
            s3.head_bucket(Bucket=name, ExpectedBucketOwner=session.account)
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchBucket"):
                raise UserError(
                    f"there is no bucket '{name}'; {_DEPLOY}, or set aws.bucket to one of yours"
                ) from error
            if code_of(error) in ("403", "AccessDenied"):
                raise UserError(
                    f"the bucket name '{name}' is taken by another account, or s3:ListBucket is "
                    "missing; set aws.bucket to a bucket of yours, or attach the policy of "
                    "infra/aws/benchmark.yaml"
                ) from error
            raise
    return name


def security_group(session: Session, aws: Aws) -> dict[str, str]:
    """By its name; it must let nothing in."""
    with clear_errors("the security groups cannot be read"):
        found = session.client("ec2").describe_security_groups(
            Filters=[{"Name": "group-name", "Values": [aws.security_group]}]
        )["SecurityGroups"]
    if len(found) != 1:
        how_many = f"{len(found)} security groups are" if found else "no security group is"
        raise UserError(
            f"{how_many} named '{aws.security_group}' in {session.region}; {_DEPLOY}, or set "
            "aws.security_group to one that stands once"
        )
    (group,) = found
    if group["IpPermissions"]:
        raise UserError(
            f"the security group '{aws.security_group}' lets connections in; remove its ingress "
            "rules: nothing needs to reach these instances"
        )
    return {"GroupId": group["GroupId"], "VpcId": group["VpcId"]}


def subnets(session: Session, vpc: str) -> dict[str, str]:
    """One a zone, those with public addresses alone: there is no other way out."""
    with clear_errors("the subnets cannot be read"):
        found = session.client("ec2").describe_subnets(
            Filters=[
                {"Name": "vpc-id", "Values": [vpc]},
                {"Name": "map-public-ip-on-launch", "Values": ["true"]},
            ]
        )["Subnets"]
    if not found:
        raise UserError(
            f"{vpc} has no subnet that gives public addresses; {_DEPLOY} into the default VPC"
        )
    by_zone = sorted((one["AvailabilityZone"], one["SubnetId"]) for one in found)
    return dict(reversed(by_zone))
