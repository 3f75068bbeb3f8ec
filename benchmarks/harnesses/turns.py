"""What the scripts here share: the protocol, and the same session options as distillery's."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

Inputs = dict[str, "np.ndarray[Any, np.dtype[np.int64]]"]

# threads that still spin would take a core from whoever comes next
_REST_SECONDS = 0.005
_WAKE_UP = 5


class EqualOptions(onnxruntime.SessionOptions):  # type: ignore[misc]
    """As ``distillery/runtimes/onnx_session.py`` sets them; a tool's own settings come on top."""

    def __init__(self) -> None:
        super().__init__()
        self.inter_op_num_threads = 1
        self.add_session_config_entry("session.intra_op.spin_duration_us", "1000")


def equal_sessions() -> None:
    """Whatever session a tool opens from now on has these options; call before it is imported."""
    onnxruntime.SessionOptions = EqualOptions


def arguments() -> tuple[Path, int]:
    """GRAPH and THREADS."""
    return Path(sys.argv[1]), int(sys.argv[2])


@contextmanager
def _answers() -> Iterator[Any]:
    """Stdout for the protocol alone: what libraries print goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        yield answers


def serve(opened: Callable[[], Callable[[Sequence[Inputs]], Sequence[float]]]) -> None:
    """Take turns until stdin ends. ``opened`` opens the model and returns the tool's loop.

    The loop times each of the inputs it is given: milliseconds, in their order.
    """
    with _answers() as answers:
        known = [
            {name: np.array(rows, dtype=np.int64) for name, rows in one.items()}
            for one in json.loads(sys.stdin.readline())
        ]
        timed = opened()
        while line := sys.stdin.readline():
            rows = json.loads(line)
            timed(known[:_WAKE_UP])
            found = [float(one) for one in timed([known[row] for row in rows])]
            time.sleep(_REST_SECONDS)
            answers.write(json.dumps(found) + "\n")
            answers.flush()
