"""Targets by what one calls them."""

from distillery.errors import UserError
from distillery.targets.this_machine import ThisMachine

# one line lists each kind of place
AnyTarget = ThisMachine

_CHOICES = "choose one of cpu (this machine's processor) and cuda (its NVIDIA GPU)"


def named(name: str) -> AnyTarget:
    """Raises ``UserError`` with the choices for a name that no target has."""
    match name:
        case "cpu" | "cuda":
            return ThisMachine(device=name)
        case _:
            raise UserError(f"no target '{name}'; {_CHOICES}")
