"""Each test serves from a storage and a port of its own."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from distillery.deployment.local import Local

from .registry import Registry
from .served import Address, children_of_gateways


@pytest.fixture
def place(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """On a free port; afterwards nothing of it may run."""
    registry.use(monkeypatch, storage=tmp_path / "storage")
    local = Local(port=free_port())
    yield local
    for model in (registry.first.model, "other"):
        local.remove(model)
    assert not children_of_gateways(tmp_path)


@pytest.fixture
def address(place: Local) -> Address:
    """Where it answers."""
    return Address(place.port)


@pytest.fixture(scope="module")
def serving(
    registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Local, Address]]:
    """The first version, for tests that change nothing."""
    with pytest.MonkeyPatch.context() as patch:
        registry.use(patch, storage=tmp_path_factory.mktemp("serving"))
        patch.setenv("AWS_SECRET_ACCESS_KEY", "very secret")
        local = Local(port=free_port())
        local.deploy(registry.first)
        yield local, Address(local.port)
        local.remove(registry.first.model)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
