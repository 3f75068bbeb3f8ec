"""Targets by what one calls them."""

from typing import Annotated

from pydantic import Field

from distillery.aws.families import family_of
from distillery.aws.settings import Aws
from distillery.errors import UserError
from distillery.targets.ec2_instance import PREFIX, Ec2Instance
from distillery.targets.this_machine import ThisMachine

# one line lists each kind of place
AnyTarget = Annotated[ThisMachine | Ec2Instance, Field(discriminator="kind")]

_CHOICES = (
    "choose one of cpu (this machine's processor), cuda (its NVIDIA GPU) and aws:TYPE (an instance "
    "on AWS, such as aws:c7i.2xlarge)"
)


def named(name: str, aws: Aws | None = None) -> AnyTarget:
    """Raises ``UserError`` with the choices for a name that no target has."""
    match name:
        case "cpu" | "cuda":
            return ThisMachine(device=name)
        case _ if name.startswith(PREFIX):
            instance_type = name.removeprefix(PREFIX)
            family_of(instance_type)
            return Ec2Instance(instance_type=instance_type, aws=aws or Aws())
        case _:
            raise UserError(f"no target '{name}'; {_CHOICES}")
