"""This machine: MLflow's scoring server as a managed process, blue and green."""

from typing import Literal

from pydantic import Field

from distillery.deployment.base import Observed, Place, Served
from distillery.nouns import RegisteredVersion


class Local(Place):
    """Blue and green behind one address on loopback."""

    kind: Literal["local"] = "local"
    port: int = Field(
        default=8100, ge=1, le=65535, title="Port", description="Where requests go, on 127.0.0.1."
    )

    def check(self) -> None:
        raise NotImplementedError

    def serving(self, model: str) -> Served | None:
        raise NotImplementedError

    def deploy(self, version: RegisteredVersion) -> Served:
        raise NotImplementedError

    def observed(self, model: str) -> Observed | None:
        raise NotImplementedError

    def remove(self, model: str) -> None:
        raise NotImplementedError
