"""Time models side by side, target by target."""

from distillery.measurements import Measurement
from distillery.subjects.asking import Asked
from distillery.subjects.checking import Ready
from distillery.subjects.examples import examples_for
from tasks.measuring import machine_to_oneself
from tasks.step import fresh_step, recorded


@fresh_step
def benchmark_models(ready: Ready, asked: Asked) -> tuple[Measurement, ...]:
    """Never cached: what it measures is this machine, now."""
    with recorded("benchmark") as run:
        examples, _ = examples_for(ready.subjects, asked.texts, asked.scenario.seed)
        measurements: list[Measurement] = []
        for target in asked.targets:
            entries = [subject.entry for subject in ready.on(target)]
            if entries:
                with machine_to_oneself():
                    measurements += target.measure(entries, examples, asked.scenario, asked.threads)
        run.params({"threads": measurements[0].threads})
        return tuple(measurements)
