"""Who runs where: instances share no core."""

import pytest

from distillery.benchmarking.pinning import places


@pytest.mark.parametrize(
    ("threads", "instances", "expected"),
    [
        (1, 1, [(6,)]),
        (4, 1, [(0, 2, 4, 6)]),
        (1, 3, [(6,), (4,), (2,)]),
        (2, 2, [(4, 6), (0, 2)]),
        (5, 1, [()]),
    ],
)
def test_each_thread_has_a_core_from_the_last_on(
    threads: int, instances: int, expected: list[tuple[int, ...]]
) -> None:
    assert places(threads, instances, cores=(0, 2, 4, 6)) == expected


def test_instances_that_do_not_fit_side_by_side_are_refused() -> None:
    with pytest.raises(ValueError, match="3 instances of 2 threads do not fit on 4 cores"):
        places(2, 3, cores=(0, 1, 2, 3))
