"""``python -m distillery.benchmarking.elsewhere PLAN.json OUT.json``: on a rented machine.

Nobody looked at it before: each candidate is opened and asked once first, and one that cannot run
here is told with its reason instead of a number. What is written is an ``Outcome``.
"""

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from distillery.benchmarking.driver import measure, written
from distillery.benchmarking.plan import Entry, Plan
from distillery.benchmarking.process import WorkerProcess
from distillery.errors import BenchmarkProcessError
from distillery.measurements import Outcome, Skipped


def outcome(plan: Plan) -> Outcome:
    """One measurement an entry that can run here; the others with why they cannot."""
    able, skipped = [], []
    for entry in plan.entries:
        why = _why_not(entry, plan)
        if why is None:
            able.append(entry)
        else:
            _say(f"{entry.name} cannot run here: {why}")
            skipped.append(Skipped(models=(entry.name,), target=plan.target, why=why))
    measured = (
        measure(able, plan.examples, plan.scenario, plan.threads, plan.target, progress=_say)
        if able
        else []
    )
    return Outcome(target=plan.target, measurements=tuple(measured), skipped=tuple(skipped))


def _why_not(entry: Entry, plan: Plan) -> str | None:
    """None where it opens and answers."""
    _say(f"trying {entry.name}")
    with tempfile.TemporaryDirectory(prefix="trying-") as folder:
        examples = written(plan.examples[:1], Path(folder), "example")
        try:
            with WorkerProcess(entry, plan.threads, Path(folder) / "stderr") as worker:
                worker.ask("read", texts=str(examples))
                worker.ask("open", **worker.opening, row=0)
        except BenchmarkProcessError as error:
            return " ".join(str(error).split())[-400:]
    return None


def main(arguments: Sequence[str]) -> int:
    """0; what fails keeps its traceback, which stands in the log."""
    plan_file, out_file = map(Path, arguments)
    found = outcome(Plan.model_validate_json(plan_file.read_bytes()))
    unfinished = out_file.with_name(out_file.name + ".unfinished")
    unfinished.write_text(json.dumps(found.model_dump(mode="json")), encoding="utf-8")
    os.replace(unfinished, out_file)
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"benchmark: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
