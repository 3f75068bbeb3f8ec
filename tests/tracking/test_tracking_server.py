"""The tracking server, where it is not there."""

import pytest

from distillery import tracking
from distillery.errors import UserError


def test_a_dead_server_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9 does not answer.*unset"):
        tracking.connect()
