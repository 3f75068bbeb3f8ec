"""What every test may use: a storage of its own, and the real data where it is at hand."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

# no test needs a hub; unset, each unreachable name costs retries. Read when the hub is imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # two PyTorchs that each take all cores wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from team import Team, running_team

if TYPE_CHECKING:
    from deployment.registry import Registry

_SHARED = Path(__file__).parents[2] / "shared"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Beside each other run whole files, and all that share the team's servers as one."""
    for item in items:
        servers = "team" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("team" if servers else item.nodeid.split("::")[0]))


@contextmanager
def _environment_put_back() -> Iterator[None]:
    """MLflow writes the store that it was told into the environment, and a loaded model's part of
    distillery first on the path, where the next test and its processes would find them."""
    before, path = dict(os.environ), list(sys.path)
    yield
    sys.path[:] = path
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True, scope="module")
def _environment_of_the_module() -> Iterator[None]:
    with _environment_put_back():
        yield


@pytest.fixture(autouse=True)
def _environment_of_the_test() -> Iterator[None]:
    with _environment_put_back():
        yield


@pytest.fixture
def storage_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty storage root, not made yet."""
    root = tmp_path / "storage"
    monkeypatch.setenv("DISTILLERY_STORAGE", str(root))
    return root


@pytest.fixture(scope="session")
def _empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables: once is enough."""
    from mlflow import MlflowClient

    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{database}").search_experiments()
    return database


@pytest.fixture
def tracking_store(storage_root: Path, _empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A storage root with an MLflow store of its own in SQLite, empty and connected to."""
    from distillery import tracking

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    storage_root.mkdir()
    shutil.copy(_empty_store, storage_root / "mlflow.db")
    tracking.connect()
    return storage_root


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> "Registry":
    """Small registered models to deploy; ``registry.use`` makes a test's environment theirs."""
    from deployment.registry import Registry

    return Registry(tmp_path_factory.mktemp("registry"))


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
