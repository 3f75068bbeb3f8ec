"""Scenarios from files and keys."""

from pathlib import Path

import pytest

from distillery.errors import UserError
from distillery.measurements import Offline, Scenario, Server
from distillery.subjects import asking


def test_nothing_given_measures_the_sweep_and_cold_starts() -> None:
    assert asking.scenario([]) == asking.WHOLE


def test_later_ones_win_over_files_and_files_over_what_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("requests: 900\noffline: {batch_sizes: [2], batches: 4}\ncold_starts: 0\n")
    found = asking.scenario(
        [str(file), "offline.batch_sizes=[3, 5]", "server.p99_objective_ms=20", "seed=4"]
    )
    assert found == Scenario(
        requests=900,
        offline=Offline(batch_sizes=(3, 5), batches=4),
        server=Server(p99_objective_ms=20),
        seed=4,
    )


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("request=900", "--scenario: unknown key 'request'; did you mean 'requests'?"),
        ("server.p99_objective=20", "did you mean 'p99_objective_ms'?"),
        ("server.requests=700", "'server.p99_objective_ms' is missing"),
        ("requests", "--scenario requests: write it as key=value"),
        ("paddings=[widest]", "'natural', 'longest_of_batch' or 'max_length'"),
        ("nowhere.yaml", "scenario nowhere.yaml is no readable YAML"),
    ],
)
def test_each_mistake_is_one_line(given: str, complaint: str) -> None:
    with pytest.raises(UserError) as refused:
        asking.scenario([given])
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)
