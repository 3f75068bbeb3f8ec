"""Noise, from real and from missing files, and what is said of it."""

from pathlib import Path

import pytest

from distillery.benchmarking.noise import Look, frequency, look, noise, ticks
from distillery.measurements import Noise


def _look(**overrides: float | None) -> Look:
    quiet = {"steal_ticks": 0, "all_ticks": 0, "frequency_mhz": 3000.0, "calibration_ms": 4.0}
    return Look(**(quiet | overrides))  # type: ignore[arg-type]


def test_ticks(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    # user nice system idle iowait irq softirq steal guest guest_nice
    stat.write_text("cpu  10 1 5 100 2 0 3 7 9 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    assert ticks(stat) == (7, 128)
    stat.write_text("cpu  10 1 5 100\n")  # kernels of long ago
    assert ticks(stat) == (0, 116)
    assert ticks(tmp_path / "missing") == (0, 0)


def test_the_frequency_is_that_of_the_quickest_core(tmp_path: Path) -> None:
    for cpu, khz in ((0, 1_200_000), (1, 3_400_000)):
        folder = tmp_path / "cpus" / f"cpu{cpu}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(f"{khz}\n")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\ncpu MHz\t\t: 2000.1\nprocessor\t: 1\ncpu MHz\t\t: 2100.5\n")
    assert frequency(tmp_path / "cpus", cpuinfo) == 3400
    assert frequency(tmp_path / "none", cpuinfo) == 2100.5
    cpuinfo.write_text("processor\t: 0\n")  # Arm names no clock
    assert frequency(tmp_path / "none", cpuinfo) is None
    assert frequency(tmp_path / "none", tmp_path / "missing") is None


def test_drifts_are_of_the_extremes_and_steal_of_first_and_last() -> None:
    found = noise(
        [
            _look(steal_ticks=100, all_ticks=1000, frequency_mhz=3000.0, calibration_ms=4.0),
            _look(steal_ticks=101, all_ticks=1100, frequency_mhz=2400.0, calibration_ms=5.0),
            _look(steal_ticks=110, all_ticks=1200, frequency_mhz=3000.0, calibration_ms=4.2),
        ]
    )
    assert found.steal_share == pytest.approx(0.05)
    assert found.frequency_drift == pytest.approx(0.25)
    assert found.calibration_drift == pytest.approx(0.25)


def test_a_frequency_that_was_not_always_told_says_nothing() -> None:
    found = noise([_look(), _look(frequency_mhz=None)])
    assert found.frequency_drift is None
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({"steal_share": 0.032}, "the hypervisor took 3.2% of CPU time"),
        ({"frequency_drift": 0.12}, "the clock frequency moved by 12%"),
        ({"calibration_drift": 0.3}, "a loop of fixed work took up to 30% longer at one time"),
    ],
)
def test_each_witness_speaks_alone(shown: dict[str, float], words: str) -> None:
    quiet = {"steal_share": 0.0, "frequency_drift": None, "calibration_drift": 0.02}
    (reason,) = Noise.model_validate(quiet | shown).reasons
    assert reason.startswith(words)
    assert Noise.model_validate(quiet).reasons == ()


def test_this_machine() -> None:
    first, second = look(), look()
    assert first.calibration_ms > 0
    assert second.all_ticks >= first.all_ticks
    assert 0 <= noise([first, second]).steal_share <= 1
