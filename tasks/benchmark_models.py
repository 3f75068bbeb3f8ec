"""Time models side by side, target by target."""

from distillery.errors import UserError
from distillery.measurements import Outcome
from distillery.subjects.asking import Asked
from distillery.subjects.checking import Ready
from distillery.subjects.examples import examples_for
from distillery.targets import measuring
from tasks.step import fresh_step, recorded


@fresh_step
def benchmark_models(ready: Ready, asked: Asked) -> tuple[Outcome, ...]:
    """Never cached: what it measures are these machines, now."""
    with recorded("benchmark") as run:
        examples, _ = examples_for(ready.subjects, asked.texts, asked.scenario.seed)
        entries = {
            target: [subject.entry for subject in ready.on(target)] for target in asked.targets
        }
        outcomes = measuring.measure(entries, examples, asked.scenario, asked.threads)
        measurements = [measured for one in outcomes for measured in one.measurements]
        if not measurements:
            lines = [skipped.line for one in outcomes for skipped in one.skipped]
            raise UserError(f"nothing was measured: {'; '.join(lines)}")
        run.params({"threads": measurements[0].threads})
        return outcomes
