"""A user's machine: real processes of the command line, over folders of their own."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# the quickstart, as small as it gets
TINY = [
    "teacher.layers=2",
    "teacher.hidden_size=32",
    "teacher.heads=2",
    "teacher.vocabulary_size=400",
    "teacher.training={epochs: 2, learning_rate: 2.0e-3}",
    "students.0.task.0.training={epochs: 2, learning_rate: 2.0e-3}",
    "gates={accuracy_kept_min: 0.2}",
    "benchmark={requests: 100, rounds: 2, offline: {batches: 3}}",
    "export.parity_rows=16",
    "export.quantized_max_label_flip_rate=1",
]


@dataclass(frozen=True, kw_only=True)
class Home:
    """A user's machine: a storage folder, Prefect's home, and nothing else set."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT", "MLFLOW"))}
        return {
            **kept,
            "DISTILLERY_STORAGE": str(self.folder / "storage"),
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "HF_HUB_OFFLINE": "1",
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The command line, in a process group of its own."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "distillery"), *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments)
        out, err = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def compress(self, *overrides: str) -> "Outcome":
        done = self.run("compress", "quickstart", "--json", *sets(*TINY, *overrides))
        assert done.returncode in (0, 1), done.stderr[-4000:]
        return Outcome(summary=json.loads(done.stdout), log=done.stderr, code=done.returncode)

    def runs_left_running(self) -> int:
        with sqlite3.connect(self.folder / "storage" / "mlflow.db") as database:
            query = "select count(*) from runs where status = 'RUNNING'"
            return int(database.execute(query).fetchone()[0])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run printed."""

    summary: dict[str, Any]
    log: str
    code: int

    def trained(self) -> set[str]:
        """The training steps that were really carried out."""
        steps = ("fine-tune-teacher", "compute-soft-labels", "distill-student", "train-control")
        return {step for step in steps if finished(self.log, step, "Completed()")}


def finished(log: str, step: str, state: str) -> bool:
    return any(f"'{step}-" in line and f"state {state}" in line for line in log.splitlines())


def sets(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]
