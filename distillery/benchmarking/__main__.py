"""``python -m distillery.benchmarking PLAN.json OUT.json``: the quiet process that measures.

Nothing else runs in it: no event loop, no torch. Progress goes to stderr, one line each.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from distillery.benchmarking.driver import measure
from distillery.benchmarking.plan import Plan


def main(arguments: Sequence[str]) -> int:
    """0, or 2 where the command line or the plan is wrong. Other failures keep their traceback."""
    if len(arguments) != 2:
        _say("usage: python -m distillery.benchmarking PLAN.json OUT.json")
        return 2
    plan_file, out_file = Path(arguments[0]), Path(arguments[1])
    try:
        plan = Plan.model_validate_json(plan_file.read_bytes())
    except OSError as error:
        _say(f"cannot read the plan {plan_file}: {error.strerror}")
        return 2
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        _say(f"bad plan {plan_file}: {where}: {first['msg']}")
        return 2
    measurements = measure(
        plan.entries, plan.examples, plan.scenario, plan.threads, plan.target, progress=_say
    )
    rows = [measurement.model_dump(mode="json") for measurement in measurements]
    unfinished = out_file.with_name(out_file.name + ".unfinished")
    unfinished.write_text(json.dumps(rows), encoding="utf-8")
    os.replace(unfinished, out_file)  # whoever sees the file sees all of it
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"benchmark: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
