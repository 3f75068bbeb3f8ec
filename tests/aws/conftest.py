"""One cloud for all tests of a file, empty at the start of each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aws import cloud as clouds
from aws.cloud import Cloud, Machines


@pytest.fixture(scope="module")
def _served() -> Iterator[Cloud]:
    with clouds.served() as cloud:
        yield cloud


@pytest.fixture
def cloud(_served: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cloud:
    """What this process takes for AWS."""
    for name, value in clouds.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", _served.url)
    _served.reset()
    return _served


@pytest.fixture
def machines(cloud: Cloud, tmp_path: Path) -> Iterator[Machines]:
    """Every instance that the cloud starts runs."""
    with Machines(cloud, tmp_path / "machines") as running:
        yield running
