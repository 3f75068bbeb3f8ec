"""SageMaker and ECS beyond what every place promises, against moto's server."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_server import AwsServer

from distillery.deployment import aws
from distillery.deployment.base import DeploymentError
from distillery.deployment.ecs import TEMPLATE, Ecs
from distillery.deployment.sagemaker import SageMaker
from distillery.errors import UserError

from .registry import MODEL, Registry

_CONTAINER = {"image": "registry/serving:1", "models": "s3://models/served"}
_ROLE = "arn:aws:iam::123456789012:role/serving"


@pytest.fixture(scope="module")
def running(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    from distillery.deployment import smoke

    with pytest.MonkeyPatch.context() as patch:
        registry.use(patch, storage=tmp_path_factory.mktemp("questions"))
        asked = smoke.questions(registry.first, registry.candidate)
    questions = {question.body: question.answer for question in asked}

    def answer(digest: str, body: bytes) -> bytes:
        """All versions have the same weights."""
        return json.dumps({"predictions": [questions[body.decode()]]}).encode()

    server = AwsServer(answer)
    yield server
    server.stop()


@pytest.fixture
def server(
    running: AwsServer, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AwsServer:
    registry.use(monkeypatch, storage=tmp_path / "storage")
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.reset()
    return running


def _ecs(server: AwsServer) -> Ecs:
    vpc, subnets = server.network()
    return Ecs.model_validate({**_CONTAINER, "vpc_id": vpc, "subnets": subnets})


def _sagemaker(**settings: Any) -> SageMaker:
    return SageMaker.model_validate({**_CONTAINER, "role_arn": _ROLE, **settings})


def test_missing_credentials_are_one_line(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UserError, match=r"^AWS: no credentials are set; log in, or set [^\n]*$"):
        _sagemaker().check()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "ExpiredToken",
            r"^AWS: the credentials are no good \(ExpiredToken: told\); log in again$",
        ),
        ("AccessDenied", r"^AWS: asking who we are is not allowed \(told\); ask for [^\n]*$"),
    ],
)
def test_refused_credentials_are_one_line(server: AwsServer, code: str, why: str) -> None:
    server.refusal = code, "told"
    with pytest.raises(UserError, match=why):
        _sagemaker().check()


def test_an_endpoint_changes_by_blue_green_with_rollback(
    registry: Registry, server: AwsServer
) -> None:
    place = _sagemaker(instance_count=3, canary_percent=20, bake_minutes=2, alarms=["errors"])
    place.deploy(registry.first)
    place.deploy(registry.second)
    (update,) = server.updates
    assert update["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 20},
        "WaitIntervalInSeconds": 120,
    }
    assert update["DeploymentConfig"]["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": "errors"}]
    }
    sagemaker = server.client("sagemaker")
    name = update["EndpointConfigName"]
    model = sagemaker.describe_model(ModelName=name)
    assert model["ExecutionRoleArn"] == _ROLE
    assert model["PrimaryContainer"]["ModelDataUrl"].startswith("s3://models/served/intents/2-")
    tags = sagemaker.list_tags(ResourceArn=model["ModelArn"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "model": MODEL,
        "version": registry.second.version,
        "digest": registry.second.candidate_digest,
    }


def test_other_settings_are_another_configuration_and_old_ones_go(
    registry: Registry, server: AwsServer
) -> None:
    _sagemaker().deploy(registry.first)
    sagemaker = server.client("sagemaker")
    for count in (2, 3):
        _sagemaker(instance_count=count).deploy(registry.first)
    configs = sagemaker.list_endpoint_configs()["EndpointConfigs"]
    assert len(configs) == len(sagemaker.list_models()["Models"]) == 2  # this one, the one before
    assert len(server.updates) == 2


def test_an_endpoint_that_goes_back_says_why(registry: Registry, server: AwsServer) -> None:
    place = _sagemaker()
    first = place.deploy(registry.first)
    server.unhealthy.add(registry.second.candidate_digest)
    with pytest.raises(DeploymentError, match="did not pass the ping health check"):
        place.deploy(registry.second)
    served = place.serving(MODEL)
    assert served is not None
    assert served.version == first.version
    configs = server.client("sagemaker").list_endpoint_configs()["EndpointConfigs"]
    assert len(configs) == 1


def test_the_stack_is_private_and_may_read_one_object(
    registry: Registry, server: AwsServer
) -> None:
    place = _ecs(server)
    served = place.deploy(registry.first)
    assert served.address.startswith("http://")
    (balancer,) = server.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert balancer["Scheme"] == "internal"
    (group,) = server.client("elbv2").describe_target_groups()["TargetGroups"]
    assert group["HealthCheckPath"] == "/ping"
    ecs = server.client("ecs")
    (cluster,) = ecs.list_clusters()["clusterArns"]
    (service,) = ecs.describe_services(
        cluster=cluster, services=ecs.list_services(cluster=cluster)["serviceArns"]
    )["services"]
    task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    (container,) = task["containerDefinitions"]
    environment = {one["name"]: one["value"] for one in container["environment"]}
    assert environment["DISTILLERY_DIGEST"] == registry.first.candidate_digest
    iam = server.client("iam")
    resource = server.client("cloudformation").describe_stack_resource(
        StackName=f"distillery-{MODEL}", LogicalResourceId="TaskRole"
    )
    role = resource["StackResourceDetail"]["PhysicalResourceId"]
    policy = iam.get_role_policy(RoleName=role, PolicyName="read-the-model")["PolicyDocument"]
    (statement,) = ast.literal_eval(policy)["Statement"]  # moto says it in Python, not in JSON
    key = environment["DISTILLERY_MODEL_URI"].removeprefix("s3://")
    assert (statement["Action"], statement["Resource"]) == ("s3:GetObject", f"arn:aws:s3:::{key}")


def test_a_stack_that_goes_back_says_why(registry: Registry, server: AwsServer) -> None:
    place = _ecs(server)
    place.deploy(registry.first)
    server.unhealthy.add(registry.second.candidate_digest)
    with pytest.raises(DeploymentError, match="Service: ECS Deployment Circuit Breaker"):
        place.deploy(registry.second)
    served = place.serving(MODEL)
    assert served is not None
    assert served.version == registry.first.version


def test_the_template_passes_cfn_lint() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "cfn-lint"), str(TEMPLATE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_names_are_valid_and_of_one_model_alone() -> None:
    names = {aws.name_of(model, 34) for model in ("a b", "a-b", "a_b", "x" * 60, "x" * 61, "…")}
    assert len(names) == 6
    assert all(len(name) <= 34 and name.replace("-", "").isalnum() for name in names)
