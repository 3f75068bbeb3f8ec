"""A champion comes back as a candidate, unless it answers another question."""

from pathlib import Path
from typing import Any

import pytest
from factories import LABELS, make_candidate, make_dataset

from distillery import storage, tracking
from distillery.registry import champions
from distillery.runtimes.base import Card


@pytest.fixture(autouse=True)
def _a_champion(storage_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.connect()
    with storage.new_folder() as folder:
        Card(name="one", label_names=LABELS, max_length=8, is_pair=False, pad_token_id=0).write(
            folder
        )
        (folder / "model.onnx").write_text("a graph")
        artifact = storage.put(folder, "candidate")
    tracking.open_flow_run("recipe", "flow-1", {})
    with tracking.step_run("flow-1", "register") as step:
        candidate = make_candidate("one int8", precision="int8", artifact=artifact)
        version = tracking.register(candidate, model="m", tags={}, step=step)
    tracking.set_alias(version, tracking.CHAMPION)


def test_it_is_measured_again_beside_its_challengers() -> None:
    found = champions.fetch("m", make_dataset(), ())
    assert found is not None
    assert (found.name, found.role, found.size_bytes) == ("champion v1", "champion", 7)
    assert champions.fetch("m", make_dataset(), (found,)) is None, "it is among them"


@pytest.mark.parametrize(
    "other",
    [{"label_names": ("up", "down")}, {"is_pair": True}, {"image_shape": (8, 8, 1)}],
)
def test_of_other_rows_or_labels_it_is_left_out(other: dict[str, Any]) -> None:
    assert champions.fetch("m", make_dataset(**other), ()) is None


def test_of_a_model_that_nobody_registered_there_is_none() -> None:
    assert champions.fetch("other", make_dataset(), ()) is None
