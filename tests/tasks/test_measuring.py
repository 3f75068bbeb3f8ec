"""Two runs never measure at once on one machine."""

import subprocess
import sys
from pathlib import Path

import pytest
from team import Team

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_MEASURE = """
import sys, time
from pathlib import Path
from tasks.measuring import machine_to_oneself

inside = Path(sys.argv[1])
for _ in range(3):
    with machine_to_oneself():
        inside.mkdir()  # raises where somebody else is inside
        time.sleep(0.5)
        inside.rmdir()
"""


def test_one_waits_for_the_other(team: Team, tmp_path: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _MEASURE, str(tmp_path / "inside")],
            env=team.environment,
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for one in both:
        _, said = one.communicate(timeout=300)
        assert one.returncode == 0, said
    _, limits = team.prefect("POST", "/v2/concurrency_limits/filter", {})
    (limit,) = (one for one in limits if one["name"].startswith("distillery.measuring."))
    assert (limit["limit"], limit["active_slots"]) == (1, 0)
