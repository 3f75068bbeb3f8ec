"""What every test may use: a storage of its own, and the real data where it is at hand."""

import os
from collections.abc import Iterator
from pathlib import Path

# no test needs a hub; unset, each unreachable name costs retries. Read when the hub is imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from team import Team, running_team

_SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def storage_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty storage root, not made yet."""
    root = tmp_path / "storage"
    monkeypatch.setenv("DISTILLERY_STORAGE", str(root))
    return root


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets."""
    return _real("DISTILLERY_TEST_DATA", _SHARED / "data", "real data sets")


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of real pre-trained encoders."""
    return _real("DISTILLERY_TEST_MODELS", _SHARED / "models", "real models")


@pytest.fixture(scope="session")
def team() -> Iterator[Team]:
    """A team's servers, all running; whoever ends one starts it again."""
    with running_team() as team:
        yield team


def _real(variable: str, default: Path, what: str) -> Path:
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"{what} are not here: {folder} is no folder; set {variable}")
    return folder
