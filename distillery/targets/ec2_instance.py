"""An instance on AWS, rented for as long as the benchmark takes."""

from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from distillery.aws.families import family_of
from distillery.aws.settings import Aws
from distillery.benchmarking.plan import Entry
from distillery.errors import UserError
from distillery.measurements import Outcome, Scenario, Server, Skipped
from distillery.noun import Noun
from distillery.runtimes.base import Device, Example

if TYPE_CHECKING:
    from distillery.aws.nouns import Plan
    from distillery.aws.session import Session

PREFIX = "aws:"


class Ec2Instance(Noun):
    """Measures there what is sent there, and ends with it."""

    kind: Literal["ec2_instance"] = "ec2_instance"
    instance_type: str = Field(title="Instance type", description="Such as c7i.2xlarge.")
    aws: Aws = Field(default=Aws(), title="AWS")

    @field_validator("instance_type")
    @classmethod
    def _is_of_a_known_family(cls, instance_type: str) -> str:
        try:
            family_of(instance_type)
        except UserError as error:
            raise ValueError(str(error)) from error
        return instance_type

    @property
    def name(self) -> str:
        """As it is asked for, and as it stands in a measurement."""
        return f"{PREFIX}{self.instance_type}"

    @property
    def device(self) -> Device:
        """What does the work there."""
        return family_of(self.instance_type).device

    def refusal(self, runtime: str, *, is_ensemble: bool) -> str | None:
        """Why such a model is not sent there; None where the instance itself will tell."""
        if is_ensemble:
            return "an ensemble of PyTorch models is measured on cpu or cuda alone"
        if self.device == "neuron" and runtime != "pytorch":
            return "Neuron has no ONNX path; it compiles the PyTorch model, such as 'small pytorch'"
        return None

    def measure(
        self,
        entries: Sequence[Entry],
        examples: Sequence[Example],
        scenario: Scenario,
        threads: int,
        *,
        session: "Session",
        plan: "Plan",
        stop: Event,
    ) -> Outcome:
        """What it came to, those that cannot run there included.

        Raises ``NoMeasurementError`` where the instance brought nothing back, and ``UserError``
        for what is the user's to mend, such as a quota.
        """
        from distillery.aws import running

        able: list[Entry] = []
        refused: dict[str, list[str]] = {}
        for entry in entries:
            is_ensemble = (entry.folder / "ensemble.json").is_file()
            why = self.refusal(entry.runtime, is_ensemble=is_ensemble)
            if why is None:
                runtime = "neuron" if self.device == "neuron" else entry.runtime
                able.append(replace(entry, runtime=runtime))
            else:
                refused.setdefault(why, []).append(entry.name)
        skipped = tuple(
            Skipped(models=tuple(names), target=self.name, why=why)
            for why, names in refused.items()
        )
        if not able:
            return Outcome(target=self.name, skipped=skipped)
        found = running.run(
            session,
            plan,
            plan.planned(self.instance_type),
            device=self.device,
            entries=able,
            examples=examples,
            scenario=self._with_objective(scenario),
            threads=threads,
            stop=stop,
        )
        return found.model_copy(update={"skipped": (*skipped, *found.skipped)})

    def _with_objective(self, scenario: Scenario) -> Scenario:
        """An instance is recommended by its rate, so that one is always looked for."""
        if scenario.server is not None:
            return scenario
        return scenario.model_copy(
            update={"server": Server(p99_objective_ms=self.aws.p99_objective_ms)}
        )
