"""One process at a time is at a step, and one that is killed lets go."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.step_lock import StepLock

_HOLDER = """
import sys, time
from tasks.step_lock import StepLock
assert StepLock().acquire_lock("distill-student-1", "me")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(storage_root: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_waits_until_the_first_is_killed(holder: "subprocess.Popen[str]") -> None:
    lock = StepLock()
    with holder:
        assert lock.is_locked("distill-student-1")
        assert not lock.is_lock_holder("distill-student-1", "me")
        assert not lock.acquire_lock("distill-student-1", "me", acquire_timeout=0)
        assert lock.acquire_lock("distill-student-2", "me"), "another step is free"
        taken = threading.Event()

        def take() -> None:
            lock.acquire_lock("distill-student-1", "me")
            taken.set()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        assert not taken.wait(0.5)
        holder.send_signal(signal.SIGKILL)
        assert taken.wait(30)
    assert lock.is_lock_holder("distill-student-1", "me")
    lock.release_lock("distill-student-1", "me")
    assert not lock.is_locked("distill-student-1")


def test_the_same_process_does_not_wait_for_itself(storage_root: Path) -> None:
    lock = StepLock()
    assert lock.acquire_lock("a", "first task run")
    assert lock.acquire_lock("a", "second task run", acquire_timeout=0)
    assert lock.wait_for_lock("a", 0)
