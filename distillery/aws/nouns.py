"""What is rented where, as values; importing this loads no boto3."""

from collections.abc import Sequence

from pydantic import Field

from distillery.aws.settings import Aws
from distillery.measurements import Price
from distillery.noun import Noun

GRACE_MINUTES = 10
"""Between an instance's own end and the one that a sweeper makes of it."""


class Offering(Noun):
    """An instance type in one region."""

    instance_type: str
    vcpus: int
    architecture: str = Field(description="x86_64 or arm64.")
    zones: tuple[str, ...]


class Image(Noun):
    """A machine image in one region."""

    image_id: str
    root_device: str
    root_gib: int = Field(description="The least that its disk must hold.")


class Place(Noun):
    """Where instances of one account and region start, and what they share with us."""

    bucket: str
    security_group_id: str
    subnets: dict[str, str] = Field(description="Zone → subnet.")

    def within(self, zones: Sequence[str]) -> list[tuple[str, str]]:
        """(zone, subnet) where such a type is offered."""
        return [(zone, self.subnets[zone]) for zone in zones if zone in self.subnets]


class Planned(Noun):
    """One instance that would be rented."""

    offering: Offering
    image: Image
    price: Price
    usd_worst: float = Field(description="All the time that it may have, in every market.")

    @property
    def target(self) -> str:
        """As it is asked for."""
        return f"aws:{self.offering.instance_type}"


class Plan(Noun):
    """All that a run would rent, in one account and region."""

    account: str
    arn: str
    region: str
    aws: Aws
    place: Place
    quotas: dict[str, int] = Field(description="vCPUs allowed, by quota.")
    instances: tuple[Planned, ...]

    @property
    def usd_worst(self) -> float:
        """Of all instances together, without traffic and storage, which cost cents."""
        return sum(one.usd_worst for one in self.instances)

    def planned(self, instance_type: str) -> Planned:
        """Raises ``KeyError`` where it is not planned."""
        for one in self.instances:
            if one.offering.instance_type == instance_type:
                return one
        raise KeyError(instance_type)
