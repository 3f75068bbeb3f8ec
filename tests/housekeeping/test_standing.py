"""Status: what is served, what is stuck, what was refused."""

import subprocess
import sys
from pathlib import Path

import pytest
from factories import LABELS, make_candidate
from gateways import Shelf

from distillery import storage, tracking
from distillery.deployment.base import Place
from distillery.deployment.local import Local
from distillery.errors import UserError
from distillery.housekeeping import standing
from distillery.housekeeping.standing import Standing
from distillery.nouns import RegisteredVersion
from distillery.registry import places
from distillery.runtimes.base import Card


@pytest.fixture(autouse=True)
def _store(tracking_store: Path) -> None: ...


@pytest.fixture
def champion() -> RegisteredVersion:
    with storage.new_folder() as folder:
        card = Card(name="c", label_names=LABELS, max_length=8, is_pair=False, pad_token_id=0)
        card.write(folder)
        (folder / "model.onnx").write_text("a graph")
        artifact = storage.put(folder, "candidate")
    tracking.open_flow_run("recipe", "flow-1", {})
    with tracking.step_run("flow-1", "register") as step:
        version = tracking.register(
            make_candidate("small int8", artifact=artifact),
            model="m",
            tags={"distillery.candidate": "small int8", "distillery.accuracy": "0.91"},
            step=step,
        )
    tracking.set_alias(version, tracking.CHAMPION)
    return version


def _taken(place: Place | UserError | None = None) -> Standing:
    return standing.take("sqlite://", {"m": place} if place else {})


def test_with_nothing_registered_there_is_nothing() -> None:
    assert _taken().is_empty


def test_a_champion_that_is_served_needs_nobody(champion: RegisteredVersion) -> None:
    found = _taken(Shelf(serves=champion.version))
    (model,) = found.models
    assert model.aliases == {"champion": "1"}
    assert model.champion == "small int8, accuracy 0.91"
    assert model.served is not None
    assert model.served.version == "1"
    assert found.stuck == ()
    assert [run.state for run in found.flow_runs] == ["Running"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (Shelf(serves="7"), "champion is version 1, served is version 7"),
        (Shelf(), "champion is version 1, served is none"),
        (Shelf(breaks=True), "m is not answering at its place: nobody is at home"),
        (UserError("the tag cannot be read"), "m is not answering at its place: the tag"),
    ],
)
def test_what_is_stuck_is_one_line(
    champion: RegisteredVersion, place: Place | UserError, expected: str
) -> None:
    (line,) = _taken(place).stuck
    assert expected in line


def test_a_refused_wish_shows_its_reason(champion: RegisteredVersion) -> None:
    tracking.tag_version(
        champion,
        {
            "distillery.decision": "refused",
            "distillery.decision_reasons": "accuracy 0.80 is below 0.90",
            "distillery.drift_classes": "2026-01-01: classes moved",
        },
    )
    (model,) = _taken().models
    assert model.refused == ("version 1 refused: accuracy 0.80 is below 0.90",)
    assert model.drift == ("classes on 2026-01-01: classes moved",)


def test_a_run_whose_process_is_gone_is_stuck() -> None:
    script = (
        "from distillery import tracking; tracking.connect()\n"
        "tracking.open_flow_run('recipe', 'flow-dead', {})\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    (line,) = _taken().stuck
    assert "of flow run flow-dead is RUNNING, and its process is gone" in line


def test_a_place_is_read_from_the_models_own_tag(champion: RegisteredVersion) -> None:
    from mlflow import MlflowClient

    assert places.place_of("m") is None
    assert places.all_places() == {}
    with pytest.raises(UserError, match="'m' is served nowhere"):
        places.served_at("m")
    client = MlflowClient()
    client.set_registered_model_tag("m", places.PLACE, '{"kind": "local", "port": 8123}')
    found = places.place_of("m")
    assert found == Local(port=8123)
    client.set_registered_model_tag("m", places.PLACE, '{"kind": "local", "port": "high"}')
    with pytest.raises(UserError, match=r"distillery\.place of the registered model 'm' cannot"):
        places.place_of("m")
    assert isinstance(places.all_places()["m"], UserError)
    with pytest.raises(UserError, match="no registered model 'other'"):
        places.place_of("other")
