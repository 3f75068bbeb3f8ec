"""A verdict carried out: what was judged is what the tags say, of an earlier champion too."""

import pytest
from factories import make_candidate, make_measurement, make_quality
from mlflow import MlflowClient

from distillery import tracking
from distillery.nouns import Candidate, Verdict
from distillery.recipe import Gates
from distillery.registry import decisions, policy, promotion
from distillery.registry.decisions import Asked
from distillery.registry.recheck import recheck
from distillery.verdict import judge
from registry.store import Model, Registry

ASKED = Asked(requested_by="Prefect flow run compress-m", flow_run_id="flow-2")


@pytest.fixture(autouse=True)
def _connected(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", str(registry.root))
    tracking.connect()


def _candidates(model: Model) -> list[Candidate]:
    """Versions 1 and 2 of the model, as this run found them."""
    teacher = make_candidate("teacher pytorch", role="teacher", runtime="pytorch")
    students = [make_candidate(f"student {number}") for number in (1, 2)]
    return [
        teacher,
        *(
            one.model_copy(
                update={
                    "artifact": one.artifact.model_copy(
                        update={"digest": model.version(number).candidate_digest}
                    )
                }
            )
            for number, one in enumerate(students, start=1)
        ),
    ]


def _verdict(
    candidates: list[Candidate], gates: Gates, latencies_ms: tuple[float, ...], requests: int = 100
) -> Verdict:
    return judge(
        gates=gates,
        candidates=candidates,
        qualities=[make_quality(one) for one in candidates],
        measurements=[
            make_measurement(one, latency_ms=latency_ms, requests=requests)
            for one, latency_ms in zip(candidates, latencies_ms, strict=True)
        ],
        target="cpu",
        champion_digest=None,
    )


def test_the_winner_is_champion_and_the_model_knows_its_gates(registry: Registry) -> None:
    model, gates = registry.model(served=False), Gates(speedup_min=4, prefer="size")
    verdict = _verdict(_candidates(model), gates, (10.0, 5.0, 1.0))
    versions = [model.version(number) for number in (1, 2)]
    done = promotion.carry_out(verdict, versions, model.name, gates=gates, place=None, asked=ASKED)
    assert done.decision is not None
    assert (done.decision.outcome, done.decision.version) == ("accepted", "2")
    assert [version.aliases for version in done.versions] == [(), ("champion",)]
    assert policy.read(model.name).gates == gates
    assert policy.read(model.name).accepted == "2"
    refused = decisions.request(model.name, "1", ASKED)
    assert refused.reasons == ("speed-up 2.0× < 4.0×",), "the facts of this run"


def test_facts_that_a_run_did_not_find_are_not_kept_from_another(registry: Registry) -> None:
    model, gates = registry.model(served=False), Gates(latency_p95_ms_max=100)
    tracking.tag_version(model.version(1), {"distillery.parity_failure": "of another export"})
    verdict = _verdict(_candidates(model), gates, (10.0, 5.0, 1.0), requests=20)
    versions = [model.version(number) for number in (1, 2)]
    promotion.carry_out(verdict, versions, model.name, gates=gates, place=None, asked=ASKED)
    tags = tracking.tags_of(model.version(1))
    assert not {"distillery.parity_failure", "distillery.latency_p95_ms"} & tags.keys()
    assert "needs the tag distillery.latency_p95_ms" in recheck(gates, tags).reasons[0]


def test_a_champion_of_an_earlier_run_that_wins_again_has_todays_facts(registry: Registry) -> None:
    model, gates = registry.model(served=False), Gates(speedup_min=9)
    decisions.request(model.name, "2", ASKED)
    verdict = _verdict(_candidates(model), gates, (10.0, 5.0, 1.0))
    done = promotion.carry_out(
        verdict, [model.version(1)], model.name, gates=gates, place=None, asked=ASKED
    )
    assert done.decision is not None
    assert (done.decision.outcome, done.decision.version) == ("unchanged", "2")
    assert recheck(gates, tracking.tags_of(model.version(2))).reasons == ("speed-up 10.0× ≥ 9.0×",)


def test_what_reigned_before_there_were_gates_is_what_a_refusal_goes_back_to(
    registry: Registry,
) -> None:
    model = registry.model(served=False)
    for name in (policy.GATES, policy.ACCEPTED):
        MlflowClient().delete_registered_model_tag(model.name, name)
    model.move(4)
    policy.write(model.name, Gates(speedup_min=3), None)
    assert policy.read(model.name).accepted == "4"
    decisions.request(model.name, "1", ASKED)
    assert model.aliases() == {"champion": "1", "previous": "4"}
