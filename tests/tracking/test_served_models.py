"""What is logged to be served, and asked."""

from pathlib import Path

import pytest

from distillery import tracking
from distillery.errors import UserError


@pytest.fixture(autouse=True)
def _store(tracking_store: Path) -> None: ...


def test_predicting_with_no_such_model_is_one_clear_line() -> None:
    with pytest.raises(UserError, match="cannot load 'models:/nope@champion'"):
        tracking.predict("models:/nope@champion", ["text"])
