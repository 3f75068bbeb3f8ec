"""A worker on another machine, with a Prefect server that knows nothing: what is finished is not
done again."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import TINY, Home, finished
from stores import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_REPOSITORY = Path(__file__).parents[2]
# the first steps of compress, on a temporary server of their own
_STEPS = """
import sys
from flows.console import quiet_libraries
quiet_libraries()
from flows.server import TemporaryServer
server = TemporaryServer()
import prefect
from distillery import recipe_files, tracking
from tasks.export_fp32 import export_fp32
from tasks.fine_tune_teacher import fine_tune_teacher
from tasks.prepare_dataset import prepare_dataset

@prefect.flow
def steps(recipe):
    tracking.connect()
    dataset = prepare_dataset(recipe.data, recipe.name)
    ((name, source),) = recipe.teachers.items()
    teacher = fine_tune_teacher(source, dataset, name, recipe.seeds[0], recipe.launcher)
    return export_fp32(teacher, dataset, recipe.export)

with server.in_use():
    print(steps(recipe_files.load("quickstart", sys.argv[1:])).digest)
"""
_NAMES = ("fine-tune-teacher", "export-fp32")


@pytest.fixture
def store() -> Iterator[Store]:
    with Store().running() as store:
        yield store


def _run(machine: Path, store: Store) -> tuple[str, dict[str, str]]:
    """The digest of what it came to, and how each step ended."""
    machine.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", _STEPS, *TINY],
        env={
            **Home(folder=machine).environment,
            **store.environment,
            "DISTILLERY_CACHE": str(machine / "own"),
        },
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    states = ("Completed()", "Cached(type=COMPLETED)")
    return done.stdout.strip(), {
        name: state for name in _NAMES for state in states if finished(done.stderr, name, state)
    }


def test_another_machine_goes_on_where_the_first_was(store: Store, tmp_path: Path) -> None:
    digest, first = _run(tmp_path / "first", store)
    assert first == dict.fromkeys(_NAMES, "Completed()")

    assert any(key.startswith("results/") for key in store.objects())
    same, second = _run(tmp_path / "second", store)
    assert second == dict.fromkeys(_NAMES, "Cached(type=COMPLETED)")
    assert same == digest
    here = {path.parent.name for path in (tmp_path / "second" / "own").glob("artifacts/*/*")}
    assert here == {"dataset"}, "data are always read anew; nothing else was needed or fetched"
