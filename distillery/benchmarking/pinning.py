"""Which CPUs an engine's threads may use: as many as it has threads, and nobody else's."""

import os
from collections.abc import Sequence


def places(threads: int, instances: int, cores: Sequence[int]) -> list[tuple[int, ...]]:
    """The logical CPUs of each instance, of ``cores``, of which each is one CPU of a core.

    Taken from the last one on, since interrupts and whoever else runs come to the first. An
    instance of more threads than there are cores may go anywhere, which () says, as does a system
    that cannot pin.

    Raises ``ValueError`` where several instances do not fit side by side.
    """
    if instances > 1 and threads * instances > len(cores):
        raise ValueError(
            f"{instances} instances of {threads} threads do not fit on {len(cores)} cores"
        )
    if threads > len(cores) or not hasattr(os, "sched_setaffinity"):
        return [()] * instances
    last = list(reversed(cores))
    return [tuple(sorted(last[i * threads : (i + 1) * threads])) for i in range(instances)]


def pin(pid: int, cpus: Sequence[int]) -> None:
    """A process that has just started, and so every thread that it will have."""
    if cpus:
        os.sched_setaffinity(pid, cpus)


def pinned_to() -> tuple[int, ...]:
    """The CPUs that this process may run on, as the system says; () where it does not tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
