"""Whether the machine was quiet and steady while it measured.

Three witnesses, since each is blind somewhere: steal time is not told inside many containers, a
clock frequency not inside most virtual machines, and a loop of fixed work cannot say who slowed it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from distillery.measurements import Noise

_PROC_STAT = Path("/proc/stat")
_CPUINFO = Path("/proc/cpuinfo")
_CPUS = Path("/sys/devices/system/cpu")
_CALIBRATION_REPEATS = 5
_CALIBRATION_STEPS = 50_000


@dataclass(frozen=True, kw_only=True)
class Look:
    """The machine at one moment. Ticks count since boot; (0, 0) where they are not told."""

    steal_ticks: int
    all_ticks: int
    frequency_mhz: float | None
    calibration_ms: float


def look() -> Look:
    """A look at this machine, which takes a few hundredths of a second."""
    # the loop first: an idle core's clock says nothing of the one that it will work at
    calibration_ms = _calibration_ms()
    frequency_mhz = frequency(_CPUS, _CPUINFO)
    steal_ticks, all_ticks = ticks(_PROC_STAT)
    return Look(
        steal_ticks=steal_ticks,
        all_ticks=all_ticks,
        frequency_mhz=frequency_mhz,
        calibration_ms=calibration_ms,
    )


def noise(looks: Sequence[Look]) -> Noise:
    """What the looks say of the time between the first and the last of them."""
    first, last = looks[0], looks[-1]
    frequencies = [one.frequency_mhz for one in looks if one.frequency_mhz is not None]
    return Noise(
        steal_share=(last.steal_ticks - first.steal_ticks)
        / max(1, last.all_ticks - first.all_ticks),
        frequency_drift=_drift(frequencies) if len(frequencies) == len(looks) else None,
        calibration_drift=_drift([one.calibration_ms for one in looks]),
    )


def frequency(cpus: Path, cpuinfo: Path) -> float | None:
    """The highest clock of any core in MHz, or None where the system does not tell."""
    found = []
    for file in cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"):
        try:
            found.append(int(file.read_text(encoding="ascii")) / 1000)  # it stands in kHz
        except (OSError, ValueError):
            continue
    if not found:
        try:
            lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
            found = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
        except (OSError, ValueError):
            return None
    return max(found, default=None)


def ticks(stat: Path) -> tuple[int, int]:
    """CPU time of the machine since boot: taken by the hypervisor, and in all. (0, 0) unknown."""
    try:
        with stat.open(encoding="ascii") as file:
            counted = [int(word) for word in file.readline().split()[1:]]
    except (OSError, ValueError):
        return 0, 0
    # user nice system idle iowait irq softirq steal; guest time stands in user already
    return (counted[7] if len(counted) > 7 else 0), sum(counted[:8])


def _calibration_ms() -> float:
    """Median milliseconds of a loop that touches no memory and no other library."""
    times = []
    for _ in range(_CALIBRATION_REPEATS):
        started = perf_counter_ns()
        state = 1
        for _ in range(_CALIBRATION_STEPS):
            state = (state * 1103515245 + 12345) % 2147483648
        times.append((perf_counter_ns() - started) / 1e6)
    return median(times)


def _drift(values: Sequence[float]) -> float:
    return max(values) / min(values) - 1
