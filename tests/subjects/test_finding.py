"""What the registry tells of a model comes with it."""

from pathlib import Path

import pytest
from factories import LABELS, make_candidate

from distillery import storage, tracking
from distillery.runtimes.base import Card
from distillery.subjects.finding import Merit, find


@pytest.mark.parametrize(
    ("tag", "merit"),
    [
        ({"accuracy": "0.8595"}, Merit(label_kind="class", value=0.8595, data_digest="d1")),
        ({"spearman": "0.7500"}, Merit(label_kind="score", value=0.75, data_digest="d1")),
        ({}, None),
    ],
)
def test_a_registered_model_brings_its_merit(
    storage_root: Path, monkeypatch: pytest.MonkeyPatch, tag: dict[str, str], merit: Merit | None
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.connect()
    with storage.new_folder() as folder:
        Card(name="one", label_names=LABELS, max_length=8, is_pair=False, pad_token_id=0).write(
            folder
        )
        (folder / "model.onnx").write_text("a graph")
        artifact = storage.put(folder, "candidate")
    tags = {f"distillery.{name}": value for name, value in {"data_digest": "d1", **tag}.items()}
    tracking.open_flow_run("recipe", "flow-1", {})
    with tracking.step_run("flow-1", "register") as step:
        candidate = make_candidate("one int8", artifact=artifact)
        version = tracking.register(candidate, model="m", tags=tags, step=step)
    tracking.set_alias(version, tracking.CHAMPION)
    assert find("models:/m@champion", tokens=8).merit == merit
    assert find(str(storage.fetch(artifact)), tokens=8).merit is None
