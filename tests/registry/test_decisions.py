"""The alias is a wish: granted, refused or put back; and the same after a crash at any write."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from distillery import tracking
from distillery.errors import UserError
from distillery.nouns import Decision
from distillery.recipe import Gates
from distillery.registry import decisions, policy
from distillery.registry.decisions import Asked
from registry.store import Model, Registry

BY_HAND = Asked(requested_by="ann@desk", flow_run_id="flow-ann")
BY_REGISTRY = Asked(requested_by="MLflow registry", flow_run_id="flow-reconcile")


@pytest.fixture(autouse=True)
def _connected(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(registry.root))
    tracking.connect()


def _promote(model: Model, number: int) -> Decision:
    return decisions.request(model.name, str(number), BY_HAND, model.policy)


def _reconcile(model: Model) -> Decision | None:
    if decisions.is_settled(model.name, model.policy):
        return None
    return decisions.follow(model.name, BY_REGISTRY, model.policy)


def _served(model: Model) -> str | None:
    assert model.place is not None
    return model.served()


def test_a_version_that_passes_is_deployed_and_says_so(registry: Registry) -> None:
    model = registry.model()
    assert _promote(model, 1).outcome == "deployed"
    done = _promote(model, 2)
    assert done.summary == (
        f"{model.name} version 2 is champion and served at http://127.0.0.1:8100: "
        "speed-up 6.0× ≥ 3.0×"
    )
    assert model.aliases() == {"champion": "2", "previous": "1"}
    assert (model.accepted(), model.served()) == ("2", "2")
    assert model.told(2) == ("deployed", "ann@desk", "speed-up 6.0× ≥ 3.0×")
    tags = tracking.tags_of(model.version(2))
    assert tags["distillery.decision_flow_run_id"] == "flow-ann"
    assert tags["distillery.deployed_at"].endswith("+00:00")


def test_without_a_place_the_alias_alone_is_decided(registry: Registry) -> None:
    model = registry.model(served=False)
    assert _promote(model, 1).outcome == "accepted"
    model.move(4)
    refused = _reconcile(model)
    assert refused is not None
    assert (refused.outcome, refused.champion) == ("refused", "1")
    model.move(3)
    _reconcile(model)
    assert model.aliases() == {"champion": "3", "previous": "1"}
    assert model.told(3)[:2] == ("accepted", "MLflow registry")
    assert "distillery.deployed_at" not in tracking.tags_of(model.version(3))


def test_a_refused_promotion_moves_nothing(registry: Registry) -> None:
    model = registry.model()
    _promote(model, 1)
    refused = _promote(model, 4)
    assert refused.summary == (
        f"{model.name} version 4 is refused: speed-up 2.0× < 3.0×; champion is version 1"
    )
    assert model.aliases() == {"champion": "1"}
    assert model.told(4) == ("refused", "ann@desk", "speed-up 2.0× < 3.0×")
    assert model.place is not None
    assert model.place.deployed() == ["1"]


def test_an_alias_moved_on_mlflows_page_is_followed(registry: Registry) -> None:
    model = registry.model()
    _promote(model, 1)
    model.move(3)
    assert _served(model) == "1", "nobody has looked yet"
    _reconcile(model)
    assert _served(model) == "3"
    assert model.aliases() == {"champion": "3", "previous": "1"}
    assert model.told(3)[:2] == ("deployed", "MLflow registry")
    assert _reconcile(model) is None


def test_an_alias_moved_to_what_fails_is_put_back_with_the_reason(registry: Registry) -> None:
    model = registry.model()
    _promote(model, 1)
    model.move(4)
    _reconcile(model)
    assert model.aliases() == {"champion": "1"}
    assert _served(model) == "1"
    assert model.told(4) == ("refused", "MLflow registry", "speed-up 2.0× < 3.0×")
    assert _reconcile(model) is None


def test_where_nothing_was_ever_accepted_the_alias_is_removed(registry: Registry) -> None:
    model = registry.model()
    model.move(4)
    refused = _reconcile(model)
    assert refused is not None
    assert refused.summary.endswith("there is no champion")
    assert model.aliases() == {}
    assert _reconcile(model) is None


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [("does not start", "no such operator"), ("answers otherwise", "answers with content another")],
)
def test_what_does_not_serve_is_put_back(registry: Registry, trouble: str, reason: str) -> None:
    model = registry.model()
    _promote(model, 1)
    refused = _promote(model.troubled(trouble), 2)  # type: ignore[arg-type]
    assert refused.outcome == "refused"
    assert reason in refused.reasons[0]
    assert model.aliases() == {"champion": "1"}, "and previous is not the champion itself"
    assert model.told(2)[0] == "refused"
    _reconcile(model)
    assert _served(model) == "1"


def test_content_that_is_not_what_was_registered_is_refused(registry: Registry) -> None:
    model = registry.model()
    _promote(model, 1)
    tracking.tag_version(model.version(2), {"distillery.digest": "0" * 64})
    refused = _promote(model, 2)
    assert "its content is not what was registered" in refused.reasons[0]
    assert model.place is not None
    assert model.place.deployed() == ["1"], "it never came near the place"


def test_a_place_that_is_away_leaves_the_wish_as_it_is(registry: Registry) -> None:
    model = registry.model()
    _promote(model, 1)
    model.move(2)
    with pytest.raises(ConnectionError):
        _reconcile(model.troubled("is away"))
    assert model.aliases()["champion"] == "2"
    _reconcile(model)
    assert _served(model) == "2"


def test_a_place_that_lost_its_champion_gets_it_again_whatever_the_gates_are_now(
    registry: Registry,
) -> None:
    model = registry.model()
    _promote(model, 1)
    policy.write(model.name, Gates(speedup_min=100), None)
    assert model.place is not None
    model.place.remove(model.name)
    failed = _reconcile(model.troubled("does not start"))
    assert failed is not None
    assert failed.outcome == "failed"
    assert model.aliases() == {"champion": "1"}, "nothing is better than it"
    _reconcile(model)
    assert _served(model) == "1"


def test_rolling_back_twice_is_rolling_back_once(registry: Registry) -> None:
    model = registry.model()
    with pytest.raises(UserError, match="no version before its champion"):
        decisions.roll_back(model.name, BY_HAND, model.policy)
    _promote(model, 1)
    _promote(model, 2)
    assert decisions.roll_back(model.name, BY_HAND, model.policy).outcome == "deployed"
    again = decisions.roll_back(model.name, BY_HAND, model.policy)
    assert again.outcome == "unchanged"
    assert (model.aliases()["champion"], _served(model)) == ("1", "1")
    _promote(model, 2)
    assert model.aliases() == {"champion": "2", "previous": "1"}, "and forward again"


def test_a_rollback_asks_the_gates_of_today(registry: Registry) -> None:
    model = registry.model()
    _promote(model, 1)
    _promote(model, 2)
    policy.write(model.name, Gates(speedup_min=5.5), None)
    refused = decisions.roll_back(model.name, BY_HAND, model.policy)
    assert refused.outcome == "refused"
    assert (model.aliases()["champion"], _served(model)) == ("2", "2")


def test_a_champion_that_was_taken_away_is_served_on(registry: Registry) -> None:
    model = registry.model()
    _promote(model, 1)
    tracking.remove_alias(model.name, "champion")
    assert _reconcile(model) is None
    told = decisions.follow(model.name, BY_HAND, model.policy)
    assert "version 1 is served on" in told.summary
    assert _served(model) == "1"


def test_a_wish_that_came_while_another_was_refused_is_kept(registry: Registry) -> None:
    """Between its look and the refusal somebody moved the alias on."""
    model = registry.model()
    _promote(model, 1)
    model.move(4)

    def meanwhile(name: str) -> policy.Policy:
        known = model.policy(name)
        model.move(3)
        return known

    # the alias is read after the policy: it stands on 3 by then, and 3 is what is decided
    assert decisions.follow(model.name, BY_REGISTRY, meanwhile).version == "3"
    assert _served(model) == "3"


def test_two_at_once_are_one_after_the_other(registry: Registry) -> None:
    model = registry.model()
    _promote(model, 1)
    found: list[Decision] = []
    threads = [threading.Thread(target=lambda: found.append(_promote(model, 2))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.outcome for one in found) == ["deployed", "unchanged", "unchanged"]
    assert model.place is not None
    assert model.place.deployed() == ["1", "2"]
    assert model.aliases() == {"champion": "2", "previous": "1"}


def _to_2(model: Model) -> None:
    _promote(model, 2)


def _back(model: Model) -> None:
    decisions.roll_back(model.name, BY_HAND, model.policy)


def _moved_to_3(model: Model) -> None:
    model.move(3)
    decisions.follow(model.name, BY_REGISTRY, model.policy)


def _moved_to_4(model: Model) -> None:
    model.move(4)
    decisions.follow(model.name, BY_REGISTRY, model.policy)


@pytest.mark.parametrize(
    ("act", "served"),
    [(_to_2, True), (_to_2, False), (_back, True), (_moved_to_3, True), (_moved_to_4, True)],
)
def test_after_a_crash_at_any_write_the_next_reconcile_ends_the_same(
    registry: Registry, act: Callable[[Model], None], served: bool
) -> None:
    def ready() -> Model:
        model = registry.model(served=served)
        _promote(model, 1)
        _promote(model, 3 if act is _to_2 else 2)
        if served:
            # it is told to the second: going back within one would be a write less than later
            tracking.untag_version(model.version(1), decisions.DEPLOYED_AT)
        return model

    before, whole = ready().stands(), ready()
    with registry.breaking_after(1000):
        act(whole)
        writes = 1000 - registry.writes_left()
    assert writes >= 3
    ended = False
    for allowed in range(writes):
        model = ready()
        with registry.breaking_after(allowed), pytest.raises(MlflowException, match="broken"):
            act(model)
        _reconcile(model)
        if act is _moved_to_4 and allowed > 0:  # the first write is the wish
            assert model.told(4) == whole.told(4)
        if model.stands() == before and not ended:
            continue  # it was cut off before it was wished for, or is refused
        ended = True
        assert model.stands() == whole.stands(), allowed
        told = [[one.told(number) for number in (1, 2, 3, 4)] for one in (model, whole)]
        assert told[0] == told[1], allowed
        assert _reconcile(model) is None, "it is settled"
    assert ended or act is _moved_to_4


@pytest.mark.parametrize("trouble", ["dies before", "dies after"])
def test_killed_in_a_switch_the_next_reconcile_ends_it(registry: Registry, trouble: str) -> None:
    model = registry.model()
    _promote(model, 1)
    assert model.place is not None
    script = (
        "from pathlib import Path; from distillery import tracking; tracking.connect()\n"
        "from registry.places import FilePlace; from registry.store import Model, Registry\n"
        "from distillery.registry import decisions\n"
        f"place = FilePlace(folder=Path({str(model.place.folder)!r}), trouble={trouble!r})\n"
        f"model = Model(registry=Registry(root=Path('.')), name={model.name!r}, place=place)\n"
        "asked = decisions.Asked(requested_by='ann@desk', flow_run_id='flow-ann')\n"
        "decisions.request(model.name, '2', asked, model.policy)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert model.accepted() == "1"
    _reconcile(model)
    assert model.stands() == ({"champion": "2", "previous": "1"}, "2", "2")
    assert model.told(2)[:2] == ("deployed", "ann@desk"), "who asked was written ahead"
    assert _reconcile(model) is None
