"""Virtual environments of the tools held against distillery, one a list of requirements."""

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from distillery import digests, storage


def python_of(requirements: Path, name: str) -> Path:
    """The Python of its virtual environment, made where there is none for these requirements."""
    digest = digests.of_file(requirements)[:16]
    folder = storage.root() / "peers" / "environments" / f"{name}-{digest}"
    python = folder / "bin" / "python"
    ready = folder / "installed"
    if not ready.is_file():
        sys.stderr.write(f"making the environment of {name}\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True
        )
        ready.touch()
    return python


def versions(python: Path, packages: Collection[str]) -> dict[str, str]:
    """Package → version, of those of these packages that the environment has."""
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    found = {row["name"].lower(): str(row["version"]) for row in json.loads(listed.stdout)}
    return {name: found[name] for name in packages if name in found}
