"""Everything that would stop a benchmark, found before it starts."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from distillery import storage, tracking
from distillery.aws.nouns import Plan
from distillery.benchmarking.padding import encoded
from distillery.errors import RuntimeUnavailableError, UserError
from distillery.measurements import Scenario, Skipped
from distillery.noun import Noun
from distillery.runtimes.base import Device, Example
from distillery.runtimes.opening import open_engine
from distillery.subjects.asking import Asked
from distillery.subjects.examples import examples_for
from distillery.subjects.finding import Subject, find
from distillery.targets import renting
from distillery.targets.ec2_instance import Ec2Instance
from distillery.targets.named import AnyTarget

# of ONNX Runtime's own words: the file again, and where in its source, with the signature
_SOURCE = re.compile(r"Load model from \S+ failed:|/\S+\.(?:h|cc):\d+ .*?\) ")


class Ready(Noun):
    """Models that answered once on some target, and what they will be asked, in words."""

    subjects: tuple[Subject, ...]
    examples_are: str
    skipped: tuple[Skipped, ...]
    plan: Plan | None = Field(default=None, description="What would be rented.")

    def on(self, target: AnyTarget) -> list[Subject]:
        """Those that can run there."""
        skipped = [name for one in self.skipped if one.target == target.name for name in one.models]
        return [subject for subject in self.subjects if subject.name not in skipped]


def ready(asked: Asked) -> Ready:
    """Find the models, and let each answer on each target.

    Raises ``UserError`` for the first thing that would stop the benchmark. A runtime or a device
    that is not here stops it only where nothing else is left to measure.
    """
    storage.ready()
    tracking.connect()
    twice = sorted({name for name in asked.models if asked.models.count(name) > 1})
    if twice or not asked.models:
        what = f"'{twice[0]}' is named twice" if twice else "no model is named"
        raise UserError(f"{what}; name each model once")
    subjects = [find(model, asked.tokens) for model in asked.models]
    for subject in subjects:
        _check_shapes(subject, asked.scenario)
    examples, origin = examples_for(subjects, asked.texts, asked.scenario.seed)
    skipped = _unavailable(subjects, examples, asked)
    found = Ready(subjects=tuple(subjects), examples_are=origin, skipped=skipped)
    if not any(found.on(target) for target in asked.targets):
        raise UserError("; ".join(one.line for one in skipped))
    # last, so that AWS is asked only for what can be measured
    return found.model_copy(update={"plan": renting.plan(asked.targets)})


def check_report(folder: Path) -> None:
    """Make the folder. Raises ``UserError`` where nothing can be written there."""
    storage.make_writable(folder, "the report to", "give --report a folder that you may write")


def _check_shapes(subject: Subject, scenario: Scenario) -> None:
    """Graphs of fixed shapes take these alone."""
    sizes = sorted({1, *scenario.offline.batch_sizes})
    if subject.batch is not None and sizes != [subject.batch]:
        mend = " or set offline.batch_sizes=[1]" if subject.batch == 1 else ""
        raise UserError(
            f"{subject.name} is fixed to batches of {subject.batch}, and the scenario asks for "
            f"{', '.join(map(str, sizes))}; export it with a dynamic batch axis{mend}"
        )
    if subject.tokens is not None and scenario.paddings != ("max_length",):
        raise UserError(
            f"{subject.name} is fixed to {subject.tokens} tokens; export it with a dynamic "
            "sequence axis, or set paddings=[max_length]"
        )


def _unavailable(
    subjects: Sequence[Subject], examples: Sequence[Example], asked: Asked
) -> tuple[Skipped, ...]:
    """Let each answer; those that lack a runtime or a device, together by what they lack."""
    lacking: dict[tuple[str, str], list[str]] = {}
    for target in asked.targets:
        for subject in subjects:
            why = _why_not(subject, target, examples, asked.scenario)
            if why is not None:
                lacking.setdefault((target.name, why), []).append(subject.name)
    return tuple(
        Skipped(models=tuple(models), target=target, why=why)
        for (target, why), models in lacking.items()
    )


def _why_not(
    subject: Subject, target: AnyTarget, examples: Sequence[Example], scenario: Scenario
) -> str | None:
    """What it lacks on the target; None where it may run."""
    is_rented = isinstance(target, Ec2Instance)
    if isinstance(target, Ec2Instance):
        is_ensemble = (subject.folder / "ensemble.json").is_file()
        why = target.refusal(subject.runtime, is_ensemble=is_ensemble)
        if why is not None:
            return why
    try:
        # whether a model is whole can be told here, before money is spent on it
        _try(subject, "cpu" if is_rented else target.device, examples, scenario)
    except RuntimeUnavailableError as error:
        return None if is_rented else str(error)
    return None


def _try(subject: Subject, device: Device, examples: Sequence[Example], scenario: Scenario) -> None:
    """Open it, and ask the smallest and the largest batch, the longest texts among them."""
    try:
        engine = open_engine(subject.folder, subject.runtime, device=device, threads=1)
    except RuntimeUnavailableError:
        raise
    except Exception as error:  # ONNX Runtime's errors have no common base
        raise UserError(
            f"{subject.name} cannot be opened: {_in_a_line(error)}; mend or export it again"
        ) from error
    longest = sorted(examples, key=lambda example: -len(str(example)))
    for size in sorted({1, max(scenario.offline.batch_sizes)}):
        batch = [longest[i % len(longest)] for i in range(size)]
        try:
            for padding in scenario.paddings:
                for inputs in encoded(engine, batch, padding):
                    engine.logits(inputs)
        except Exception as error:
            raise UserError(
                f"{subject.name} cannot answer a batch of {size}: {_in_a_line(error)}; export it "
                "with dynamic axes, or ask for fewer --tokens or smaller offline.batch_sizes"
            ) from error


def _in_a_line(error: Exception) -> str:
    line = " ".join((str(error) or type(error).__name__).split())
    return _SOURCE.sub("", line)[:240]
