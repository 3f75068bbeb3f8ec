"""A worker on another machine, or Prefect's database lost: what is finished is not done again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from machine import Home
from stores import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass(frozen=True, kw_only=True)
class Machine(Home):
    """A home whose storage is shared: its own folder is only in front of it."""

    shared: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.shared, "DISTILLERY_CACHE": str(self.folder / "own")}


@pytest.fixture
def store() -> Iterator[Store]:
    with Store().running() as store:
        yield store


def test_another_machine_goes_on_where_the_first_was(store: Store, tmp_path: Path) -> None:
    first, second = (
        Machine(folder=tmp_path / name, shared=store.environment) for name in ("first", "second")
    )
    for machine in (first, second):
        machine.folder.mkdir()
    before = first.compress("control=false")
    assert before.trained(), "it made everything"
    after = second.compress("control=false")
    assert after.trained() == set()
    named = {version["candidate_digest"] for version in before.summary["versions"]}
    assert {version["candidate_digest"] for version in after.summary["versions"]} == named
    assert any(key.startswith("reports/") for key in store.objects())
