"""What an instance type's name tells: its accelerator, and which quota it counts against."""

import re
from dataclasses import dataclass

from distillery.errors import UserError
from distillery.measurements import Market
from distillery.runtimes.base import Device

_INSTANCE_TYPE = re.compile(r"^(?P<letters>[a-z]+)[0-9]+[a-z0-9-]*\.[a-z0-9-]+$")


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One of the numbers of vCPUs that AWS limits an account to."""

    name: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Family:
    """Instance types that begin with the same letters."""

    device: Device
    quotas: dict[Market, Quota]


def _family(device: Device, what: str, on_demand: str, spot: str) -> Family:
    return Family(
        device=device,
        quotas={
            "on_demand": Quota(name=f"Running On-Demand {what} instances", code=on_demand),
            "spot": Quota(name=f"All {what} Spot Instance Requests", code=spot),
        },
    )


_STANDARD = _family("cpu", "Standard (A, C, D, H, I, M, R, T, Z)", "L-1216C47A", "L-34B43A08")
_GPU = _family("cuda", "G and VT", "L-DB2E81BA", "L-3819A6DF")
_INFERENTIA = _family("neuron", "Inf", "L-1945791B", "L-B5D1601B")
_BY_LETTERS = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "m", "r", "t", "z"), _STANDARD),
    "g": _GPU,
    "inf": _INFERENTIA,
}


def family_of(instance_type: str) -> Family:
    """Raises ``UserError`` where the name is none, or of a family that is not measured on."""
    named = _INSTANCE_TYPE.match(instance_type)
    if named is None:
        raise UserError(f"'{instance_type}' is no instance type; write it as aws:c7i.2xlarge")
    found = _BY_LETTERS.get(named["letters"])
    if found is None:
        raise UserError(
            f"aws:{instance_type}: instances of family {named['letters']} are not measured on; "
            "choose a CPU type (c7i.2xlarge), a GPU of family g (g4dn.2xlarge), inf1 or inf2"
        )
    return found


def is_legacy(instance_type: str) -> bool:
    """First generation of Inferentia: its compiler ended with PyTorch 1.13."""
    return instance_type.startswith("inf1.")
