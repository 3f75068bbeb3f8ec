"""The driver's end of a measuring process: commands in, answers out, and its last words."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from distillery.benchmarking import pinning
from distillery.benchmarking.plan import Entry
from distillery.errors import BenchmarkProcessError

# the folder that holds the package, installed or unpacked: `-m` finds it from here
PACKAGE_ROOT = Path(__file__).resolve().parents[2]

_LAST_WORDS_LINES = 8


class WorkerProcess:
    """One engine in a process of its own; leaving the context ends the process."""

    def __init__(self, entry: Entry, threads: int, stderr: Path, cpus: Sequence[int] = ()) -> None:
        self.entry = entry
        self.opening = {
            "folder": str(entry.folder.absolute()),
            "runtime": entry.runtime,
            "device": entry.device,
            "threads": threads,
        }
        self._stderr = stderr
        self.started_ns = time.monotonic_ns()
        with stderr.open("wb") as last_words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "distillery.benchmarking.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=last_words,
                cwd=PACKAGE_ROOT,
                env=_environment(threads),
                encoding="utf-8",
            )
        # before it has other threads: they all take over what the first one may use
        with suppress(ProcessLookupError):  # it died; the first command says of what
            pinning.pin(self._process.pid, cpus)

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # nothing is left in it to lose, and an orderly exit of torch takes a while
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(BrokenPipeError):  # it died before it had read all
                stream.close()

    def send(self, command: str, **arguments: object) -> None:
        """Ask without waiting for the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._died() from error

    def receive(self) -> dict[str, Any]:
        """Block until the answer is there."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._died()
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkProcessError(
                f"{self.entry.name} ({self.entry.runtime}) failed: {answer['error']}"
            )
        return answer

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Ask, and block until the answer is there."""
        self.send(command, **arguments)
        return self.receive()

    def _died(self) -> BenchmarkProcessError:
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        lines = self._stderr.read_text(encoding="utf-8", errors="replace").splitlines()
        last = "\n".join(lines[-_LAST_WORDS_LINES:]) or "(it wrote nothing to stderr)"
        return BenchmarkProcessError(
            f"the process of {self.entry.name} ({self.entry.runtime}) died, {how}:\n{last}"
        )


def _environment(threads: int) -> dict[str, str]:
    """As many threads for every pool as for the model, whatever the caller's shell says.

    TOKENIZERS_PARALLELISM is set since many set it to false for their training, which would
    silently change what offline batches cost here.
    """
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "RAYON_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "true",
    }
