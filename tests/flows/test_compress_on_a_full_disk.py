"""A disk that is full, for real: a small file system of its own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import TINY, Home, sets

pytestmark = pytest.mark.slow

# long enough to be full before it ends; what comes later would be measured, which costs time
_RECIPE = [*TINY, "control=false", "export.quantizations=[]"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Whose storage has room for the tracking store and the data, and for no model."""
    storage = tmp_path / "storage"
    storage.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "distillery-test", str(storage)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a file system can be mounted by root only: {done.stderr.strip()}")
    try:
        yield Home(folder=tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", str(storage)], check=True)


def test_a_full_disk_is_one_line_and_loses_nothing(home: Home) -> None:
    full = home.run("compress", "quickstart", *sets(*_RECIPE))
    assert full.returncode == 2, full.stderr
    (line,) = [one for one in full.stderr.splitlines() if one.startswith("distillery:")]
    assert "no space is left" in line
    assert "Traceback" not in full.stderr, full.stderr
    storage = home.folder / "storage"
    subprocess.run(["mount", "-o", "remount,size=1g", str(storage)], check=True)
    done = home.compress(*_RECIPE[len(TINY) :])
    assert done.summary["promoted"]
    assert home.runs_left_running() == 0
