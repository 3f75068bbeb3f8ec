"""ECS on Fargate: a service behind a load balancer, by one CloudFormation stack a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from distillery.deployment import aws
from distillery.deployment.base import DeploymentError, Observed, Place, Served
from distillery.nouns import RegisteredVersion

if TYPE_CHECKING:
    from distillery.deployment.packing import Packed

TEMPLATE = Path(__file__).parent.parent.parent / "infra" / "aws" / "serving-ecs.yaml"

_DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
_NEVER_WAS = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})
_CHANGING = frozenset(
    {
        *("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS"),
        *("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        *("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
    }
)


class Ecs(Place):
    """The container of ``infra/serving`` on Fargate, by ``infra/aws/serving-ecs.yaml``.

    New tasks start beside the old ones and ask themselves the smoke test; the load balancer sends
    them requests once they are healthy, and where they never are, the circuit breaker and with it
    CloudFormation go back to the old version.
    """

    kind: Literal["ecs"] = "ecs"
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
        description="Where versions are put for the tasks to fetch: s3://BUCKET/PREFIX.",
    )
    vpc_id: str = Field(pattern=r"^vpc-[0-9a-f]+$", title="VPC", description="vpc-…")
    subnets: tuple[str, ...] = Field(
        min_length=2, max_length=16, title="Subnets", description="Two or more, in different zones."
    )
    scheme: Literal["internal", "internet-facing"] = Field(
        default="internal", title="Scheme", description="Of the load balancer."
    )
    allowed_cidr: str = Field(
        default="10.0.0.0/8",
        pattern=r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$",
        title="Allowed addresses",
        description="Who may ask, as a CIDR block.",
    )
    certificate_arn: str = Field(
        default="",
        pattern=r"^(arn:aws[a-z\-]*:acm:.+)?$",
        title="Certificate",
        description="Of ACM, for HTTPS; left out, plain HTTP.",
    )
    public_ips: bool = Field(
        default=False,
        title="Public addresses for tasks",
        description="Where the subnets reach ECR and S3 only through an internet gateway.",
    )
    cpu: Literal[256, 512, 1024, 2048, 4096] = Field(
        default=1024, title="CPU", description="Units of a task; 1024 are one core."
    )
    memory_mib: int = Field(
        default=2048, ge=512, le=30720, title="Memory", description="MiB of a task."
    )
    tasks: int = Field(default=2, ge=1, le=100, title="Tasks", description="At a time.")
    wait_minutes: int = Field(
        default=30, ge=1, le=180, title="Wait", description="For the stack to change, at most."
    )

    def check(self) -> None:
        """Raises ``UserError`` where AWS does not know us."""
        aws.check(self.region)

    def serving(self, model: str) -> Served | None:
        """As the stack's outputs say, which change once the service has."""
        stack = self._stack(model)
        outputs = {one["OutputKey"]: one["OutputValue"] for one in (stack or {}).get("Outputs", ())}
        if stack is None or stack["StackStatus"] in _NEVER_WAS or "Digest" not in outputs:
            return None
        since = stack.get("LastUpdatedTime", stack["CreationTime"])
        return Served(
            model=model,
            version=outputs["Version"],
            digest=outputs["Digest"],
            address=outputs["Address"],
            since=since.isoformat(timespec="seconds"),
        )

    def deploy(self, version: RegisteredVersion) -> Served:
        """Raises ``DeploymentError`` and ``UserError``; the stack is then what it was before."""
        try:
            return self._deploy(version)
        except aws.AwsError as error:
            raise DeploymentError(f"{version.uri} is not deployed: {error}") from error

    def observed(self, model: str) -> Observed | None:
        """None: each task counts for itself, for Prometheus to add up."""
        return None

    def remove(self, model: str) -> None:
        """The stack; what lies in S3 stays."""
        if self._settled(model) is None:
            return
        with aws.told("deleting the stack"):
            self._cloudformation().delete_stack(StackName=_stack_name(model))
        if self._settled(model) is not None:
            raise DeploymentError(
                f"the stack {_stack_name(model)} is not deleted: {self._why(model)}"
            )

    def _deploy(self, version: RegisteredVersion) -> Served:
        from distillery.deployment import packing

        # what a killed deployment began is still going on
        before = self._settled(version.model)
        if before is not None and before["StackStatus"] in _NEVER_WAS:
            self.remove(version.model)  # such a stack cannot be updated
            before = None
        packed = packing.upload(version, aws.client("s3", self.region), self.models)
        self._change(version, packed, is_new=before is None)
        after = self._settled(version.model)
        if after is None or after["StackStatus"] not in _DONE:
            why = self._why(version.model)
            if before is None:
                self.remove(version.model)
            raise DeploymentError(f"{version.uri} is not deployed: {why}")
        served = self.serving(version.model)
        if served is None or served.digest != version.candidate_digest:
            raise DeploymentError(f"the stack does not say that {version.uri} is served")
        return served

    def _change(self, version: RegisteredVersion, packed: "Packed", *, is_new: bool) -> None:
        cloudformation = self._cloudformation()
        request = {
            "StackName": _stack_name(version.model),
            "TemplateBody": TEMPLATE.read_text(encoding="utf-8"),
            "Parameters": self._parameters(version, packed),
            "Capabilities": ["CAPABILITY_IAM"],
            "Tags": aws.tags(
                {
                    "model": version.model,
                    "version": version.version,
                    "digest": version.candidate_digest,
                }
            ),
        }
        if is_new:
            with aws.told("creating the stack"):
                cloudformation.create_stack(**request)
            return
        try:
            with aws.told("updating the stack"):
                cloudformation.update_stack(**request)
        except aws.AwsError as error:
            if "No updates are to be performed" not in str(error):
                raise

    def _parameters(self, version: RegisteredVersion, packed: "Packed") -> list[dict[str, str]]:
        partition = aws.partition(self.region)
        values = {
            "Model": version.model,
            "Version": version.version,
            "Digest": version.candidate_digest,
            "ModelUri": packed.uri,
            "ModelObjectArn": f"arn:{partition}:s3:::{packed.uri.removeprefix('s3://')}",
            "ModelSha256": packed.sha256,
            "Image": self.image,
            "VpcId": self.vpc_id,
            "Subnets": ",".join(self.subnets),
            "Scheme": self.scheme,
            "AllowedCidr": self.allowed_cidr,
            "CertificateArn": self.certificate_arn,
            "AssignPublicIp": "ENABLED" if self.public_ips else "DISABLED",
            "Cpu": str(self.cpu),
            "Memory": str(self.memory_mib),
            "Tasks": str(self.tasks),
        }
        return [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()]

    def _settled(self, model: str) -> dict[str, Any] | None:
        """The stack, once it is not changing any more."""
        found: dict[str, Any] | None = None

        def status() -> str:
            nonlocal found
            found = self._stack(model)
            return "" if found is None else str(found["StackStatus"])

        what = f"the stack {_stack_name(model)}"
        aws.wait(status, during=_CHANGING, minutes=self.wait_minutes, what=what)
        return found

    def _stack(self, model: str) -> dict[str, Any] | None:
        try:
            with aws.told("looking at the stack"):
                found = self._cloudformation().describe_stacks(StackName=_stack_name(model))
        except aws.AwsError as error:
            if error.code == "ValidationError":  # what CloudFormation calls a name it does not know
                return None
            raise
        stack: dict[str, Any] = found["Stacks"][0]
        return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack

    def _why(self, model: str) -> str:
        """The first thing that went wrong in the last change."""
        with aws.told("reading what went wrong"):
            events = self._cloudformation().describe_stack_events(StackName=_stack_name(model))
        reason = "the stack went back to what it was"
        for event in events["StackEvents"]:  # newest first
            if event["ResourceStatus"].endswith("_FAILED"):
                reason = (
                    f"{event['LogicalResourceId']}: "
                    f"{event.get('ResourceStatusReason', event['ResourceStatus'])}"
                )
            started = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
            is_stack = event["ResourceType"] == "AWS::CloudFormation::Stack"
            if is_stack and event["ResourceStatus"] in started:
                break
        return " ".join(reason.split())[:300]

    def _cloudformation(self) -> Any:
        return aws.client("cloudformation", self.region)


def _stack_name(model: str) -> str:
    return f"distillery-{aws.name_of(model, 100)}"
