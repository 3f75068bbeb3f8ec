"""Time models side by side."""

from collections.abc import Sequence

from distillery.measurements import Measurement
from distillery.subjects.asking import Asked
from distillery.subjects.examples import examples_for
from distillery.subjects.finding import Subject
from distillery.targets.this_machine import ThisMachine
from tasks.step import fresh_step, recorded


@fresh_step
def benchmark_models(subjects: Sequence[Subject], asked: Asked) -> tuple[Measurement, ...]:
    """Never cached: what it measures is this machine, now."""
    with recorded("benchmark") as run:
        examples, _ = examples_for(subjects, asked.texts, asked.scenario.seed)
        entries = [subject.entry for subject in subjects]
        measurements = ThisMachine().measure(entries, examples, asked.scenario, asked.threads)
        run.params({"threads": measurements[0].threads})
        return measurements
