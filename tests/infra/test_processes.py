"""Servers outlive their starter, are found again, and nothing else is ever ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.stack.processes import Managed

_SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
_WITH_CHILD = (
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "time.sleep(600)",
)


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[Managed]:
    one = Managed("server", tmp_path)
    yield one
    one.kill()


def _eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)


def _is_gone(process: psutil.Process) -> bool:
    """A zombie is: not every machine's process 1 reaps what is left to it."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _running(managed: Managed) -> psutil.Process:
    _eventually(lambda: managed.process is not None)
    process = managed.process
    assert process is not None
    return process


def test_it_runs_until_it_is_stopped(managed: Managed) -> None:
    managed.start(_SLEEP, os.environ, user="")
    process = _running(managed)
    assert managed.stop(signal.SIGTERM)
    assert _is_gone(process)
    assert managed.process is None
    assert not managed.stop(signal.SIGTERM), "there is nothing left to stop"


def test_what_its_starter_left_behind_is_found_and_ended(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys, time; from pathlib import Path\n"
            "from infra.stack.processes import Managed\n"
            f"Managed('server', Path({str(tmp_path)!r})).start({_SLEEP!r}, os.environ, '')\n"
            "time.sleep(600)",
        ],
        cwd=Path(__file__).parents[2],
    )
    managed = Managed("server", tmp_path)
    process = _running(managed)
    starter.kill()
    starter.wait()
    assert managed.process == process, "it outlived its starter"
    assert managed.stop(signal.SIGTERM)
    assert _is_gone(process)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_its_children_end_with_it(managed: Managed, how: str) -> None:
    managed.start(_WITH_CHILD, os.environ, user="")
    process = _running(managed)
    _eventually(lambda: len(process.children()) == 1)
    (child,) = process.children()
    managed.kill() if how == "killed" else managed.stop(signal.SIGTERM)
    assert managed.process is None
    _eventually(lambda: _is_gone(child))


def test_killed_alone_its_child_goes_on(managed: Managed) -> None:
    managed.start(_WITH_CHILD, os.environ, user="")
    process = _running(managed)
    _eventually(lambda: len(process.children()) == 1)
    (child,) = process.children()
    try:
        managed.kill(alone=True)
        assert managed.process is None
        assert not _is_gone(child)
    finally:
        child.kill()


def test_another_process_with_its_id_is_left_alone(managed: Managed) -> None:
    bystander = subprocess.Popen(_SLEEP)
    try:
        managed.note.parent.mkdir(parents=True)
        managed.note.write_text(json.dumps({"pid": bystander.pid, "started": 1.0}))
        assert managed.process is None
        assert not managed.stop(signal.SIGTERM)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_its_last_words_are_kept(managed: Managed) -> None:
    assert managed.last_words() == "it said nothing"
    managed.start((sys.executable, "-c", "print('one'); exit('no room left')"), os.environ, "")
    _eventually(lambda: not managed.is_starting)
    assert managed.last_words() == "no room left"
