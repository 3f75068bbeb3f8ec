"""Numbers as people read them."""

import pytest

from distillery.report import units


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (units.size(999), "999 B"),
        (units.size(1_234_567), "1.2 MB"),
        (units.size(999_999), "1.0 MB"),
        (units.size(418_000_000), "418 MB"),
        (units.size(None), "–"),
        (units.milliseconds(0.0412), "0.041 ms"),
        (units.milliseconds(0.412), "0.41 ms"),
        (units.milliseconds(41.23), "41.2 ms"),
        (units.milliseconds(1234.5), "1,234 ms"),
        (units.milliseconds(None), "–"),
        (units.percent(0.964), "96.4%"),
        (units.percent(0.9997), "99.97%"),
        (units.percent(1.0), "100.0%"),
        (units.percent(None), "–"),
        (units.points(0.0123), "+1.2"),
        (units.points(-0.012), "−1.2"),
        (units.points(-0.0001), "0.0"),
        (units.times(22.56), "22.6×"),
        (units.times(0.456), "0.46×"),
        (units.times(434.2), "434×"),
        (units.count(1796.4), "1,796"),
    ],
)
def test_human_units(shown: str, expected: str) -> None:
    assert shown == expected
