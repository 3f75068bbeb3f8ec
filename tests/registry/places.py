"""A place that answers from a file, and may break down at any moment of a switch."""

import json
import os
import signal
from pathlib import Path
from typing import Literal

from distillery.deployment.base import DeploymentError, Observed, Place, Served
from distillery.errors import UserError
from distillery.nouns import RegisteredVersion

Trouble = Literal[
    "none",
    "is not ready",
    "does not start",
    "is away",
    "dies before",
    "dies after",
    "answers otherwise",
]


class FilePlace(Place):
    """What it serves is a line of JSON; what it was asked to deploy, a line each."""

    folder: Path
    trouble: Trouble = "none"

    def check(self) -> None:
        if self.trouble == "is not ready":
            raise UserError("the place is not ready; mend it")

    def serving(self, model: str) -> Served | None:
        if self.trouble == "is away":
            raise ConnectionError("the place does not answer")
        file = self.folder / f"{model}.json"
        return Served.model_validate_json(file.read_text()) if file.exists() else None

    def deploy(self, version: RegisteredVersion) -> Served:
        with (self.folder / "deployed.jsonl").open("a") as file:
            file.write(json.dumps([version.model, version.version]) + "\n")
        if self.trouble == "does not start":
            raise DeploymentError("it does not start: no such operator")
        if self.trouble == "dies before":
            os.kill(os.getpid(), signal.SIGKILL)
        served = Served(
            model=version.model,
            version=version.version,
            digest="another" if self.trouble == "answers otherwise" else version.candidate_digest,
            address="http://127.0.0.1:8100",
            since="2026-01-01T00:00:00+00:00",
        )
        (self.folder / f"{version.model}.json").write_text(served.model_dump_json())
        if self.trouble == "dies after":
            os.kill(os.getpid(), signal.SIGKILL)
        return served

    def observed(self, model: str) -> Observed | None:
        return None

    def remove(self, model: str) -> None:
        (self.folder / f"{model}.json").unlink(missing_ok=True)

    def deployed(self) -> list[str]:
        """Version numbers, in the order in which they were asked for."""
        file = self.folder / "deployed.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line)[1] for line in lines]
