"""What a recipe says of AWS. Importing this loads no boto3."""

from pydantic import Field, model_validator

from distillery.measurements import Market
from distillery.noun import Noun


class Aws(Noun):
    """Where instances are rented, for how long, and what that may cost."""

    region: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}(-[a-z]+)+-\d$",
        title="Region",
        description="Left out, that of your AWS profile or of AWS_REGION.",
    )
    bucket: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        title="Bucket",
        description="Left out, that of infra/aws/benchmark.yaml: "
        "distillery-benchmark-ACCOUNT-REGION.",
    )
    security_group: str = Field(
        default="distillery-benchmark",
        min_length=1,
        max_length=255,
        title="Security group",
        description="Its name. Without ingress; its VPC is where instances start.",
    )
    markets: tuple[Market, ...] = Field(
        default=("on_demand",),
        min_length=1,
        max_length=2,
        title="Markets",
        description="Tried in this order: on_demand, spot.",
    )
    cost_usd_max: float = Field(
        default=5.0,
        gt=0,
        le=10_000,
        title="Cost cap ($)",
        description="Nothing starts where the worst case would cost more.",
    )
    minutes_max: int = Field(
        default=60,
        ge=5,
        le=720,
        title="Most minutes",
        description="After which an instance shuts itself down, finished or not.",
    )
    max_parallel: int = Field(
        default=4, ge=1, le=32, title="In parallel", description="Instances at one time."
    )
    p99_objective_ms: float = Field(
        default=100.0,
        gt=0,
        allow_inf_nan=False,
        title="p99 objective (ms)",
        description="What an instance's rate and cost are told for, where benchmark.server gives "
        "no objective.",
    )
    examples: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        title="Examples",
        description="At most so many real inputs are sent along.",
    )

    @model_validator(mode="after")
    def _no_market_stands_twice(self) -> "Aws":
        if len(set(self.markets)) < len(self.markets):
            raise ValueError("aws.markets names one market twice; leave one out")
        return self
