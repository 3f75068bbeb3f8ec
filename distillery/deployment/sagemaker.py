"""SageMaker: a real-time endpoint that changes by blue/green, with automatic rollback."""

import re
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from distillery import digests
from distillery.deployment import aws
from distillery.deployment.base import DeploymentError, Observed, Place, Served
from distillery.nouns import RegisteredVersion

if TYPE_CHECKING:
    from distillery.deployment.packing import Packed

_CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
_VARIANT = "distillery"
_MISSING = "ValidationException"  # what SageMaker calls a name that it does not know


class SageMaker(Place):
    """The container of ``infra/serving`` behind a SageMaker endpoint.

    The container asks itself the smoke test before it says that it is healthy, so that a version
    that fails it never gets a request. The alarms guard what only real requests show.
    """

    kind: Literal["sagemaker"] = "sagemaker"
    region: str = Field(
        default="us-east-1",
        pattern=r"^[a-z]{2}(-[a-z]+)+-\d$",
        title="Region",
        description="Of AWS.",
    )
    image: str = Field(
        pattern=r"^[\w.\-/:@]+$",
        title="Container image",
        description="Made of infra/serving, in ECR: ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG.",
    )
    models: str = Field(
        pattern=r"^s3://[a-z0-9.\-]{3,63}(/.*)?$",
        title="Models",
        description="Where versions are put for SageMaker to fetch: s3://BUCKET/PREFIX.",
    )
    role_arn: str = Field(
        pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:role/.+$",
        title="Execution role",
        description="What the endpoint may do: read the models and the image, write logs.",
    )
    instance_type: str = Field(
        default="ml.c5.large", pattern=r"^ml\.[a-z0-9\-]+\.[a-z0-9]+$", title="Instance type"
    )
    instance_count: int = Field(default=1, ge=1, le=100, title="Instances")
    canary_percent: int = Field(
        default=10,
        ge=1,
        le=50,
        title="Canary",
        description="Percent of the new instances that take requests first; of several instances.",
    )
    bake_minutes: int = Field(
        default=5,
        ge=0,
        le=60,
        title="Baking",
        description="How long the canary, and then the whole, is watched before the old one ends.",
    )
    alarms: tuple[str, ...] = Field(
        default=(),
        max_length=10,
        title="Alarms",
        description="CloudWatch alarms, by name: one that goes off brings the old version back.",
    )
    wait_minutes: int = Field(
        default=45, ge=1, le=240, title="Wait", description="For the endpoint to change, at most."
    )

    def check(self) -> None:
        """Raises ``UserError`` where AWS does not know us."""
        aws.check(self.region)

    def serving(self, model: str) -> Served | None:
        """By the tags of the configuration that the endpoint says it has."""
        found = self._endpoint(model)
        if found is None or found["EndpointStatus"] in ("Creating", "Deleting", "Failed"):
            return None
        sagemaker = self._sagemaker()
        with aws.told("reading the endpoint's configuration"):
            config = sagemaker.describe_endpoint_config(
                EndpointConfigName=found["EndpointConfigName"]
            )
            listed = sagemaker.list_tags(ResourceArn=config["EndpointConfigArn"])["Tags"]
        tags = {one["Key"]: one["Value"] for one in listed}
        if not {"version", "digest"} <= tags.keys():
            return None  # somebody else's
        return Served(
            model=model,
            version=tags["version"],
            digest=tags["digest"],
            address=self._address(model),
            since=found["LastModifiedTime"].isoformat(timespec="seconds"),
        )

    def deploy(self, version: RegisteredVersion) -> Served:
        """Raises ``DeploymentError`` and ``UserError``; the endpoint then has its old
        configuration."""
        try:
            return self._deploy(version)
        except aws.AwsError as error:
            raise DeploymentError(f"{version.uri} is not deployed: {error}") from error

    def observed(self, model: str) -> Observed | None:
        """None: CloudWatch counts requests, not rows and labels."""
        return None

    def remove(self, model: str) -> None:
        """Endpoint, configurations and models; what lies in S3 stays."""
        sagemaker = self._sagemaker()
        if self._endpoint(model) is not None:
            self._settled(model)
            with aws.told("deleting the endpoint"):
                sagemaker.delete_endpoint(EndpointName=_endpoint_name(model))
            self._settled(model)
        self._tidy(model, kept=set())

    def _deploy(self, version: RegisteredVersion) -> Served:
        from distillery.deployment import packing

        name = self._name(version)
        # an update that a killed deployment began is still going on
        before = self._settled(version.model)
        if before is not None and before["EndpointStatus"] == "Failed":
            self.remove(version.model)  # it never was in service, and cannot be updated
            before = None
        if before is not None and before["EndpointConfigName"] == name:
            served = self.serving(version.model)
            if served is not None and before["EndpointStatus"] == "InService":
                return served
        packed = packing.upload(version, aws.client("s3", self.region), self.models)
        self._make(name, version, packed.uri)
        if before is None:
            with aws.told("creating the endpoint"):
                self._sagemaker().create_endpoint(
                    EndpointName=_endpoint_name(version.model),
                    EndpointConfigName=name,
                    Tags=aws.tags(_tags(version)),
                )
        elif before["EndpointConfigName"] != name:
            self._update(version.model, name)
        after = self._settled(version.model)
        if after is None or (after["EndpointStatus"], after["EndpointConfigName"]) != (
            "InService",
            name,
        ):
            self._take_back(version.model, before)
            why = (after or {}).get("FailureReason", "the endpoint went back to what it was")
            raise DeploymentError(f"{version.uri} is not deployed: {why}")
        try:
            self._ask(version.model, packed)
        except (DeploymentError, aws.AwsError) as error:
            self._take_back(version.model, before)
            raise DeploymentError(f"{version.uri} is not deployed: {error}") from error
        self._tidy(version.model, {name, before["EndpointConfigName"]} if before else {name})
        served = self.serving(version.model)
        assert served is not None, "it is in service"
        return served

    def _make(self, name: str, version: RegisteredVersion, model_data: str) -> None:
        """The model and the configuration of one name: they never change."""
        sagemaker = self._sagemaker()
        tags = aws.tags(_tags(version))
        container = {
            "Image": self.image,
            "ModelDataUrl": model_data,
            "Environment": {
                "DISTILLERY_MODEL": version.model,
                "DISTILLERY_VERSION": version.version,
                "DISTILLERY_DIGEST": version.candidate_digest,
            },
        }
        variant: dict[str, Any] = {
            "VariantName": _VARIANT,
            "ModelName": name,
            "InstanceType": self.instance_type,
            "InitialInstanceCount": self.instance_count,
            "InitialVariantWeight": 1.0,
        }
        if not _exists(lambda: sagemaker.describe_model(ModelName=name)):
            with aws.told("creating the model"):
                sagemaker.create_model(
                    ModelName=name,
                    PrimaryContainer=container,
                    ExecutionRoleArn=self.role_arn,
                    EnableNetworkIsolation=True,  # it needs nothing but requests
                    Tags=tags,
                )
        if not _exists(lambda: sagemaker.describe_endpoint_config(EndpointConfigName=name)):
            with aws.told("creating the endpoint's configuration"):
                sagemaker.create_endpoint_config(
                    EndpointConfigName=name, ProductionVariants=[variant], Tags=tags
                )

    def _update(self, model: str, name: str) -> None:
        bake_seconds = 60 * self.bake_minutes
        routing: dict[str, Any] = {
            "Type": "ALL_AT_ONCE",
            "WaitIntervalInSeconds": bake_seconds,
        }
        if self.instance_count > 1:  # half of one instance is none
            routing |= {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": self.canary_percent},
            }
        deployment: dict[str, Any] = {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": bake_seconds,
                "MaximumExecutionTimeoutInSeconds": max(600, 60 * self.wait_minutes),
            }
        }
        if self.alarms:
            names = [{"AlarmName": alarm} for alarm in self.alarms]
            deployment["AutoRollbackConfiguration"] = {"Alarms": names}
        with aws.told("updating the endpoint"):
            self._sagemaker().update_endpoint(
                EndpointName=_endpoint_name(model),
                EndpointConfigName=name,
                DeploymentConfig=deployment,
            )

    def _take_back(self, model: str, before: dict[str, Any] | None) -> None:
        """The old configuration, or nothing where there was none."""
        now = self._endpoint(model)
        if now is None:
            return
        if before is None:
            self.remove(model)
        elif now["EndpointConfigName"] != before["EndpointConfigName"]:
            self._update(model, before["EndpointConfigName"])
            self._settled(model)
        if before is not None:
            self._tidy(model, {before["EndpointConfigName"]})

    def _ask(self, model: str, packed: "Packed") -> None:
        """The smoke test once more, by the way that requests go."""
        from distillery.deployment import asking

        runtime = aws.client("sagemaker-runtime", self.region)

        def ask(body: bytes) -> bytes:
            with aws.told("asking the endpoint"):
                answer = runtime.invoke_endpoint(
                    EndpointName=_endpoint_name(model), ContentType="application/json", Body=body
                )
                content: bytes = answer["Body"].read()
                return content

        asking.check(packed.questions, ask, asking.OTHER_MACHINE)

    def _settled(self, model: str) -> dict[str, Any] | None:
        """The endpoint, once it is not changing any more."""
        found: dict[str, Any] | None = None

        def status() -> str:
            nonlocal found
            found = self._endpoint(model)
            return "" if found is None else str(found["EndpointStatus"])

        aws.wait(
            status,
            during=_CHANGING,
            minutes=self.wait_minutes,
            what=f"the endpoint {_endpoint_name(model)}",
        )
        return found

    def _endpoint(self, model: str) -> dict[str, Any] | None:
        sagemaker = self._sagemaker()
        try:
            with aws.told("looking at the endpoint"):
                found: dict[str, Any] = sagemaker.describe_endpoint(
                    EndpointName=_endpoint_name(model)
                )
        except aws.AwsError as error:
            if error.code == _MISSING:
                return None
            raise
        return found

    def _tidy(self, model: str, kept: set[str]) -> None:
        """Configurations and models of this endpoint that nothing uses any more."""
        sagemaker = self._sagemaker()
        endpoint = _endpoint_name(model)
        ours = re.compile(rf"{endpoint}-v\d+-[0-9a-f]{{12}}-[0-9a-f]{{6}}")

        def unused(kind: str, found: str, name: str) -> list[str]:
            pages = sagemaker.get_paginator(kind).paginate(NameContains=f"{endpoint}-v")
            names = {one[name] for page in pages for one in page[found]}
            return sorted(one for one in names - kept if ours.fullmatch(one))

        with aws.told("deleting what is not used any more"):
            for name in unused("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"):
                sagemaker.delete_endpoint_config(EndpointConfigName=name)
            for name in unused("list_models", "Models", "ModelName"):
                sagemaker.delete_model(ModelName=name)

    def _name(self, version: RegisteredVersion) -> str:
        """Of version, digest and all settings that the configuration is made of."""
        made_of = [self.image, self.models, self.role_arn, self.instance_type, self.instance_count]
        mark = digests.of_json(made_of)[:6]
        digest = version.candidate_digest[:12]
        return f"{_endpoint_name(version.model)}-v{version.version}-{digest}-{mark}"

    def _address(self, model: str) -> str:
        name = _endpoint_name(model)
        return f"https://runtime.sagemaker.{self.region}.amazonaws.com/endpoints/{name}/invocations"

    def _sagemaker(self) -> Any:
        return aws.client("sagemaker", self.region)


def _endpoint_name(model: str) -> str:
    return aws.name_of(model, 34)  # with what follows, no more than the 63 that AWS takes


def _tags(version: RegisteredVersion) -> dict[str, str]:
    return {
        "model": version.model,
        "version": version.version,
        "digest": version.candidate_digest,
    }


def _exists(describe: Any) -> bool:
    try:
        with aws.told("looking whether it is there"):
            describe()
    except aws.AwsError as error:
        if error.code == _MISSING:
            return False
        raise
    return True
