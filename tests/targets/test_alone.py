"""Two runs never measure at once on one machine, and a killed one holds nobody up."""

import subprocess
import sys
import time
from pathlib import Path

_MEASURE = """
import sys, time
from pathlib import Path
from distillery.targets.alone import machine_to_oneself

lock, inside = map(Path, sys.argv[1:])
for _ in range(3):
    with machine_to_oneself(lock):
        inside.mkdir()  # raises where somebody else is inside
        time.sleep(0.2)
        inside.rmdir()
"""
_HOLD = """
import sys, time
from pathlib import Path
from distillery.targets.alone import machine_to_oneself

with machine_to_oneself(Path(sys.argv[1])):
    print("inside", flush=True)
    time.sleep(300)
"""


def _start(script: str, *arguments: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_waits_for_the_other(tmp_path: Path) -> None:
    both = [_start(_MEASURE, tmp_path / "lock", tmp_path / "inside") for _ in range(2)]
    for one in both:
        _, said = one.communicate(timeout=60)
        assert one.returncode == 0, said


def test_a_killed_one_lets_go(tmp_path: Path) -> None:
    holder = _start(_HOLD, tmp_path / "lock")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "inside\n"
    waiting = _start(_MEASURE, tmp_path / "lock", tmp_path / "inside")
    time.sleep(0.5)
    assert waiting.poll() is None
    holder.kill()
    holder.communicate()
    assert waiting.wait(timeout=60) == 0
