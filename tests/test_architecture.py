"""The import rules, and that nothing hides the installed packages."""

import subprocess
import sys
from pathlib import Path

import mlflow

ROOT = Path(__file__).parent.parent


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_folder_mlflow_does_not_hide_the_package() -> None:
    assert not (ROOT / "mlflow" / "__init__.py").exists()
    assert hasattr(mlflow, "start_run")


def test_no_catch_all_modules() -> None:
    names = {
        path.name
        for package in ("distillery", "tasks", "flows")
        for path in (ROOT / package).rglob("*.py")
    }
    assert not names & {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
