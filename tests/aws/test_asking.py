"""What is found out before anything starts, and what goes wrong then, in one line."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aws.cloud import BUCKET, Cloud, Request, ec2_error
from distillery.aws import checking, planning, prices, sweeping, tags
from distillery.aws.nouns import Plan
from distillery.aws.session import open_session
from distillery.aws.settings import Aws
from distillery.errors import UserError


def _plan(*types: str, **aws: Any) -> Plan:
    settings = Aws(**aws)
    return planning.plan(open_session(settings.region), settings, types)


def _refusal(*types: str, **aws: Any) -> str:
    with pytest.raises(UserError) as refused:
        _plan(*types, **aws)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def _answer(**to: tuple[int, str]) -> Any:
    """An error in the place of each named action."""

    def fault(request: Request) -> Any:
        name = request.action or request.target.rpartition(".")[2]
        if name not in to:
            return None
        status, code = to[name]
        if request.target:
            return status, json.dumps({"__type": code, "message": "said the test"}).encode()
        return ec2_error(status, code)

    return fault


def test_a_plan_tells_the_worst_case(cloud: Cloud) -> None:
    plan = _plan("c7i.2xlarge", "c5.9xlarge", minutes_max=50, cost_usd_max=4)
    # an hour each, with the minutes that a sweeper gives
    assert plan.usd_worst == pytest.approx(0.357 + 1.53)
    assert plan.quotas == {"Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances": 64}
    assert plan.planned("c5.9xlarge").offering.vcpus == 36
    assert not [one for one in cloud.seen if one.action == "RunInstances"]
    both = _plan("c7i.2xlarge", minutes_max=50, markets=("spot", "on_demand"))
    assert both.usd_worst == pytest.approx(2 * 0.357)


def test_a_cap_on_cost_stops_it(cloud: Cloud) -> None:
    told = _refusal("c7i.2xlarge", "c5.9xlarge", minutes_max=50, cost_usd_max=1.8)
    assert "could cost $1.89, more than aws.cost_usd_max $1.80" in told


@pytest.mark.parametrize(
    ("vcpus", "types", "told"),
    [
        (0, ["c7i.2xlarge"], "Standard (A, C, D, H, I, M, R, T, Z) instances' (L-1216C47A)"),
        (0, ["g4dn.2xlarge"], "'Running On-Demand G and VT instances' (L-DB2E81BA)"),
        (0, ["inf2.xlarge"], "'Running On-Demand Inf instances' (L-1945791B)"),
        (40, ["c7i.2xlarge", "c5.9xlarge"], "44 would run at once; lower aws.max_parallel"),
    ],
)
def test_a_quota_that_is_too_small_is_named(
    cloud: Cloud, vcpus: int, types: list[str], told: str
) -> None:
    cloud.quota_vcpus = vcpus
    assert told in _refusal(*types, cost_usd_max=100)


def test_fewer_at_one_time_need_less_of_a_quota(cloud: Cloud) -> None:
    cloud.quota_vcpus = 40
    assert _plan("c7i.2xlarge", "c5.9xlarge", max_parallel=1).instances


def test_a_spot_quota_is_asked_where_spot_is_wanted(cloud: Cloud) -> None:
    cloud.quota_vcpus = 0
    assert "L-34B43A08" in _refusal("c7i.2xlarge", markets=("spot",))


def test_an_unknown_type_is_told(cloud: Cloud) -> None:
    assert "us-east-1 has no instance type 'c99.large'" in _refusal("c99.large")


def test_the_table_stands_in_for_the_price_list_and_says_so(cloud: Cloud) -> None:
    cloud.faults.append(_answer(GetProducts=(400, "AccessDeniedException")))
    price = prices.price(open_session(None), "c7i.2xlarge")
    assert price.on_demand_usd_per_hour == 0.357
    assert (price.source, price.as_of) == ("distillery's table", "2026-09-01")
    with pytest.raises(UserError, match="permission pricing:GetProducts is missing"):
        prices.price(open_session(None), "m5.large")


def test_what_has_no_single_price_is_not_planned(cloud: Cloud) -> None:
    del cloud.prices["c7i.2xlarge"]
    assert "0 hourly prices for m5.large" in _refusal("m5.large")


def test_without_credentials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert _refusal("c7i.2xlarge").startswith("no AWS credentials were found; set AWS_PROFILE")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ExpiredToken", "the AWS credentials have expired; log in again"),
        ("InvalidClientTokenId", "AWS does not know these credentials"),
    ],
)
def test_credentials_that_are_not_good_any_more(cloud: Cloud, code: str, told: str) -> None:
    cloud.faults.append(_answer(GetCallerIdentity=(403, code)))
    assert told in _refusal("c7i.2xlarge")


def test_without_a_region(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    assert "no AWS region is set; set aws.region, or AWS_REGION" in _refusal("c7i.2xlarge")


def test_nobody_answers(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "AWS cannot be reached" in _refusal("c7i.2xlarge")


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("DescribeSubnets", "the permission ec2:DescribeSubnets is missing"),
        ("DescribeInstanceTypes", "the permission ec2:DescribeInstanceTypes is missing"),
    ],
)
def test_a_missing_permission_is_named(cloud: Cloud, action: str, told: str) -> None:
    message = f"You are not authorized to perform: ec2:{action} on resource: *"
    cloud.faults.append(
        lambda request: (
            ec2_error(403, "UnauthorizedOperation", message) if request.action == action else None
        )
    )
    assert told in _refusal("c7i.2xlarge")


def test_a_bucket_that_is_missing(cloud: Cloud) -> None:
    told = _refusal("c7i.2xlarge", bucket="nobodys-bucket")
    assert "there is no bucket 'nobodys-bucket'; deploy infra/aws/benchmark.yaml" in told


def test_a_bucket_name_that_somebody_else_has(cloud: Cloud) -> None:
    cloud.faults.append(
        lambda request: (403, b"") if (request.method, request.path) == ("HEAD", "/taken") else None
    )
    told = _refusal("c7i.2xlarge", bucket="taken")
    assert "the bucket name 'taken' is taken by another account" in told


def test_a_security_group_that_is_missing_or_open(cloud: Cloud) -> None:
    assert "no security group is named 'none'" in _refusal("c7i.2xlarge", security_group="none")
    ec2 = cloud.client("ec2")
    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["distillery-benchmark"]}]
    )["SecurityGroups"]
    ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    assert "lets connections in" in _refusal("c7i.2xlarge")


def test_check_tells_all_that_is_missing_at_once(cloud: Cloud) -> None:
    found = checking.check(Aws(), ["c7i.2xlarge"])
    assert [one.what for one in found if one.is_missing] == []
    assert {one.what: one.found for one in found}["c7i.2xlarge: start"] == "allowed"

    cloud.client("s3").delete_bucket(Bucket=BUCKET)
    cloud.quota_vcpus = 0
    found = checking.check(Aws(), ["c7i.2xlarge"])
    missing = {one.what: one.problem for one in found if one.is_missing}
    assert "there is no bucket" in missing["bucket"]
    assert "L-1216C47A" in missing["c7i.2xlarge: quota"]
    assert not cloud.instances()


def _instance(cloud: Cloud, *, minutes_left: float) -> str:
    due = datetime.now(UTC) + timedelta(minutes=minutes_left)
    borne = tags.tags(name="a benchmark", run="r", owner="me", expires_at=due)
    started = cloud.client("ec2").run_instances(
        ImageId=cloud.client("ec2").describe_images()["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": borne}],
    )
    return str(started["Instances"][0]["InstanceId"])


def test_a_sweep_ends_what_is_past_its_time_and_nothing_else(cloud: Cloud) -> None:
    late, early = _instance(cloud, minutes_left=-1), _instance(cloud, minutes_left=30)
    image = cloud.client("ec2").describe_images()["Images"][0]["ImageId"]
    cloud.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1)  # somebody else's

    told = sweeping.sweep(open_session(None), dry_run=True)
    assert {one.instance_id for one in told} == {late, early}
    assert not any(one.ended for one in told)

    ended = {one.instance_id: one.ended for one in sweeping.sweep(open_session(None))}
    assert ended == {late: True, early: False}
    states = {one["InstanceId"]: one["State"]["Name"] for one in cloud.instances()}
    assert states.pop(late) == "terminated"
    assert set(states.values()) == {"running"}

    (left,) = sweeping.sweep(open_session(None), every=True)
    assert (left.instance_id, left.ended) == (early, True)
    assert sorted(cloud.states()) == ["running", "terminated", "terminated"]
