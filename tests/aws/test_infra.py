"""The template: without findings, made by moto, and its policy allows what a benchmark asks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml
from factories import make_entry

from aws.cloud import BUCKET, Cloud, Machines
from distillery.aws.settings import Aws
from distillery.measurements import Offline, Scenario
from distillery.targets import measuring, renting
from distillery.targets.named import named

_TEMPLATE = Path(__file__).parents[2] / "infra" / "aws" / "benchmark.yaml"
_SERVICES = {"AmazonSSM": "ssm", "ServiceQuotasV20190624": "servicequotas"}
_PRICES = "AWSPriceListService"


def test_cfn_lint_finds_nothing() -> None:
    ran = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", _TEMPLATE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.fixture
def stack(cloud: Cloud) -> dict[str, str]:
    """The outputs of the template, made where nothing was."""
    ec2 = cloud.client("ec2")
    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": ["distillery-benchmark"]}]
    )["SecurityGroups"]
    ec2.delete_security_group(GroupId=group["GroupId"])
    cloud.client("s3").delete_bucket(Bucket=BUCKET)
    formation = cloud.client("cloudformation")
    formation.create_stack(
        StackName="distillery",
        TemplateBody=_TEMPLATE.read_text(),
        Parameters=[{"ParameterKey": "VpcId", "ParameterValue": group["VpcId"]}],
        Capabilities=["CAPABILITY_IAM"],
    )
    (made,) = formation.describe_stacks(StackName="distillery")["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE"
    return {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}


def test_the_stack_is_what_a_benchmark_looks_for(cloud: Cloud, stack: dict[str, str]) -> None:
    assert stack["BucketName"] == BUCKET
    (group,) = cloud.client("ec2").describe_security_groups(GroupIds=[stack["SecurityGroupId"]])[
        "SecurityGroups"
    ]
    assert (group["GroupName"], group["IpPermissions"]) == (Aws().security_group, [])


def test_nothing_is_public_and_nothing_stays() -> None:
    """What moto's CloudFormation leaves out is read off the template."""
    made = cfn_yaml.load(str(_TEMPLATE))["Resources"]
    group, bucket = made["SecurityGroup"]["Properties"], made["Bucket"]["Properties"]
    (out,) = group["SecurityGroupEgress"]
    assert (out["IpProtocol"], out["FromPort"], out["ToPort"]) == ("tcp", 443, 443)
    assert "SecurityGroupIngress" not in group
    block = bucket["PublicAccessBlockConfiguration"]
    assert len(block) == 4
    assert all(block.values())
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 7)


def test_the_policy_allows_what_a_benchmark_asks_and_no_more(
    cloud: Cloud, stack: dict[str, str], machines: Machines, tmp_path: Path
) -> None:
    scenario = Scenario(requests=100, rounds=2, offline=Offline(batch_sizes=(1,), batches=3))
    cloud.seen.clear()
    target = named("aws:c7i.2xlarge", Aws())
    entry = make_entry(tmp_path / "tiny")
    outcomes = measuring.measure({target: [entry]}, ["one", "two"], scenario, 1)
    assert outcomes[0].measurements
    renting.forget(outcomes)
    asked = {_action(one.action, one.target) for one in cloud.seen if one.action or one.target}
    asked -= {
        "sts:GetCallerIdentity",  # nobody can be denied it
        *("ec2:DescribeVpcs", "ec2:DescribeInstanceAttribute"),  # asked by the machines themselves
        *("s3:CreateBucket", "cloudformation:CreateStack"),
    }
    allowed = _allowed(cloud, stack["CallerPolicyArn"])
    assert {one for one in asked if not one.startswith("cloudformation")} <= allowed
    on_occasion = {
        "ec2:CreateTags",  # with RunInstances
        "ec2:GetConsoleOutput",  # of one that died
        "servicequotas:GetAWSDefaultServiceQuota",  # where nobody ever asked for another
    }
    of_s3 = {
        *("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject"),
        *("s3:ListBucket", "s3:PutObject"),
    }
    assert allowed - asked == on_occasion | of_s3


def _action(action: str, target: str) -> str:
    if target:
        service, _, name = target.partition(".")
        return f"{'pricing' if service == _PRICES else _SERVICES[service]}:{name}"
    return f"{'sts' if action == 'GetCallerIdentity' else 'ec2'}:{action}"


def _allowed(cloud: Cloud, arn: str) -> set[str]:
    iam = cloud.client("iam")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document: Any = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"][
        "Document"
    ]
    statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    found: set[str] = set()
    for statement in statements:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        found |= {actions} if isinstance(actions, str) else set(actions)
    return found
