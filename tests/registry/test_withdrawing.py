"""A model served no more stays registered, and no reconcile would bring it back."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from distillery import tracking
from distillery.errors import UserError
from distillery.registry import places, withdrawing


def test_the_place_is_forgotten_and_nothing_else(tracking_store: Path) -> None:
    client = MlflowClient()
    client.create_registered_model("m", tags={"distillery.gates": "{}"})
    client.set_registered_model_tag("m", places.PLACE, '{"kind": "local", "port": 8123}')
    withdrawing.withdraw("m")
    assert places.all_places() == {}
    assert tracking.model_tags("m") == {"distillery.gates": "{}"}
    with pytest.raises(UserError, match="'m' is served nowhere"):
        withdrawing.withdraw("m")
    with pytest.raises(UserError, match="no registered model 'other'"):
        withdrawing.withdraw("other")
