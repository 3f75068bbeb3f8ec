"""The machine that runs the flow, measured by a quiet process of its own: its CPU or its GPU."""

import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from distillery.benchmarking.plan import Entry, Plan
from distillery.benchmarking.process import PACKAGE_ROOT
from distillery.errors import BenchmarkProcessError
from distillery.measurements import Measurement, Outcome, Scenario
from distillery.noun import Noun
from distillery.runtimes import images
from distillery.runtimes.base import Example
from distillery.runtimes.images import Image
from distillery.targets.alone import machine_to_oneself

_LAST_WORDS_LINES = 12


class ThisMachine(Noun):
    """Measures here and now. The caller's process has torch, threads and an event loop."""

    kind: Literal["this_machine"] = "this_machine"
    device: Literal["cpu", "cuda"] = Field(
        default="cpu", title="Device", description="cpu, the processor, or cuda, an NVIDIA GPU."
    )

    @property
    def name(self) -> str:
        """As it is asked for, and as it stands in a measurement."""
        return self.device

    def measure(
        self, entries: Sequence[Entry], texts: Sequence[Example], scenario: Scenario, threads: int
    ) -> tuple[Measurement, ...]:
        """One measurement an entry, in their order; see ``driver.measure``.

        Raises ``BenchmarkProcessError`` where the measuring process fails.
        """
        found = self._run("distillery.benchmarking", entries, texts, scenario, threads)
        return TypeAdapter(tuple[Measurement, ...]).validate_json(found)

    def outcome(
        self, entries: Sequence[Entry], texts: Sequence[Example], scenario: Scenario, threads: int
    ) -> Outcome:
        """The same; what cannot run on the GPU is told with its reason.

        On the CPU everything runs that was made here, so that a failure there is one.
        """
        if self.device == "cpu":
            return Outcome(
                target=self.name, measurements=self.measure(entries, texts, scenario, threads)
            )
        found = self._run("distillery.benchmarking.elsewhere", entries, texts, scenario, threads)
        return Outcome.model_validate_json(found)

    def _run(
        self,
        module: str,
        entries: Sequence[Entry],
        texts: Sequence[Example],
        scenario: Scenario,
        threads: int,
    ) -> bytes:
        """What the module writes, in a process of its own."""
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            plan_file, out_file = Path(folder) / "plan.json", Path(folder) / "measurements.json"
            pixels = [example for example in texts if isinstance(example, Image)]
            images_file = Path(folder) / "images.npy"
            if pixels:
                images.write(pixels, images_file)
            plan = Plan(
                entries=tuple(
                    replace(entry, folder=entry.folder.absolute(), device=self.device)
                    for entry in entries
                ),
                texts=tuple(text for text in texts if not isinstance(text, Image)),
                images=images_file if pixels else None,
                scenario=scenario,
                threads=threads,
                target=self.name,
            )
            plan_file.write_text(plan.model_dump_json(), encoding="utf-8")
            with machine_to_oneself():
                _run(module, plan_file, out_file)
            return out_file.read_bytes()


def _run(module: str, plan_file: Path, out_file: Path) -> None:
    """The environment passes through: the driver sets every thread count for its workers."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(plan_file), str(out_file)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=PACKAGE_ROOT,
        encoding="utf-8",
        errors="replace",
    )
    last_words: deque[str] = deque(maxlen=_LAST_WORDS_LINES)
    with process:
        assert process.stderr is not None
        try:
            # blocked but for a few lines of progress, none of them within a timed part; they go
            # to stderr and not to a log, whose handlers may have threads that would then run
            for line in process.stderr:
                sys.stderr.write(line)
                last_words.append(line)
        except BaseException:
            process.kill()  # its workers end with it: their stdin closes
            raise
    if process.returncode != 0:
        raise BenchmarkProcessError(
            f"the benchmark ended with status {process.returncode}:\n{''.join(last_words)}"
        )
