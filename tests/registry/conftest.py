"""One registry for all tests here: making the models in it takes longer than the tests."""

from collections.abc import Iterator

import pytest

from registry.store import Registry


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    root = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISTILLERY_STORAGE", str(root))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        made = Registry(root=root)
        made.fill()
        yield made
