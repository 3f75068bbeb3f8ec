"""The search over a target that answers by a table: what is measured, kept, and left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from factories import HERE, make_candidate, make_measurement, make_quality

from distillery import storage
from distillery.benchmarking.plan import Entry
from distillery.measurements import Fingerprint, Measurement, Scenario
from distillery.nouns import Candidate
from distillery.recipe import Gates
from distillery.runtimes.base import Example
from distillery.search import searching
from distillery.search.outcome import Searched
from distillery.search.searching import Ground
from distillery.search.settings import Search

_FULL = Scenario(requests=500)


@dataclass
class Table:
    """A target on which each candidate has a latency of its own at each number of threads."""

    latencies_ms: dict[str, dict[int, float]]
    asked: list[tuple[int, list[tuple[str, int | None, int]]]] = field(default_factory=list)
    name: str = "cpu"

    def measure(
        self, entries: Sequence[Entry], texts: Sequence[Example], scenario: Scenario, threads: int
    ) -> tuple[Measurement, ...]:
        self.asked.append((scenario.requests, [(e.name, e.threads, e.instances) for e in entries]))
        found = []
        for entry in entries:
            assert entry.folder.is_dir()
            ms = self.latencies_ms[entry.name][entry.threads or 0]
            rates = (900 * entry.instances / ms,) * scenario.offline.batches
            offline = {
                "padding": "longest_of_batch",
                "batch_size": 32,
                "rows_per_second": rates,
                "model_rows_per_second": rates,
            }
            made = make_measurement(
                make_candidate(entry.name),
                latency_ms=ms,
                requests=scenario.requests,
                threads=entry.threads,
                instances=entry.instances,
                offline=(offline,),
            )
            found.append(made.model_copy(update={"candidate_digest": entry.digest}))
        return tuple(found)


@pytest.fixture
def models(storage_root: Path) -> dict[str, Candidate]:
    """The teacher in PyTorch, and three candidates."""
    return {
        name: _model(name, **fields)
        for name, fields in {
            "teacher pytorch": {"role": "teacher", "runtime": "pytorch"},
            "quick int8": {},
            "even int8": {},
            "slow fp32": {},
        }.items()
    }


def _model(name: str, **fields: Any) -> Candidate:
    with storage.new_folder() as folder:
        (folder / "model.onnx").write_text(name)
        return make_candidate(name, artifact=storage.put(folder, "candidate"), **fields)


def _table() -> Table:
    return Table(
        {
            "teacher pytorch": {1: 10.0, 2: 6.0},
            "quick int8": {1: 1.0, 2: 0.8},
            "even int8": {1: 1.0, 2: 0.82},
            "slow fp32": {1: 5.0, 2: 4.0},
        }
    )


def _search(
    models: dict[str, Candidate],
    target: Table,
    *,
    right: dict[str, int] | None = None,
    gates: Gates | None = None,
    place: Fingerprint = HERE,
    texts_digest: str = "questions",
    **settings: Any,
) -> Searched:
    return searching.search(
        list(models.values()),
        [make_quality(one, right=(right or {}).get(one.name, 90)) for one in models.values()],
        Search.model_validate({"threads": (1, 2), **settings}),
        gates or Gates(),
        _FULL,
        Ground(
            target=target,
            place=place,
            cores=2,
            texts=("a", "b"),
            texts_digest=texts_digest,
        ),
    )


def test_all_are_screened_and_what_may_win_is_measured_in_full(
    models: dict[str, Candidate],
) -> None:
    target = _table()
    found = _search(models, target, instances=(1, 2))
    (few, screened), (many, in_full) = target.asked
    assert (few, many) == (100, 500)
    assert screened == [(name, threads, 1) for name in models for threads in (1, 2)]
    # two instances of one thread are worth more rows than one of two; the teacher has its best
    assert in_full == [
        ("teacher pytorch", 2, 1),
        *[(name, 1, n) for name in ("quick int8",) for n in (1, 2)],
        ("quick int8", 2, 1),
        *[(name, 1, n) for name in ("even int8",) for n in (1, 2)],
        ("even int8", 2, 1),
    ]
    assert found.set_aside == {
        "slow fp32": "set aside by the search: quick int8, 2 threads, is 5.00× as fast (99 % "
        "interval 5.00 to 5.00)"
    }
    assert [(m.candidate_name, m.threads) for m in found.judged] == [
        ("teacher pytorch", 2),
        ("quick int8", 2),
        ("even int8", 2),
    ]
    latency, throughput = found.best
    assert (latency.candidate_name, latency.threads, latency.instances) == ("quick int8", 2, 1)
    assert (throughput.threads, throughput.instances) == (1, 2)
    assert throughput.ties == ("even int8, 2 instances of 1 thread",)


def test_a_second_search_screens_nothing_and_measures_the_rest_again(
    models: dict[str, Candidate],
) -> None:
    _search(models, _table())
    target = _table()
    found = _search(models, target)
    assert [requests for requests, _ in target.asked] == [500]
    assert all(trial.reused for trial in found.trials)


def test_a_new_candidate_is_screened_beside_the_anchor_alone(models: dict[str, Candidate]) -> None:
    _search(models, _table())
    target = _table()
    target.latencies_ms["new int8"] = {1: 0.4, 2: 0.3}
    found = _search({**models, "new int8": _model("new int8")}, target)
    (_, screened), (_, in_full) = target.asked
    assert screened == [("teacher pytorch", 1, 1), ("new int8", 1, 1), ("new int8", 2, 1)]
    # those kept from before are held against it by way of the anchor, and are slower
    assert {name for name, _, _ in in_full} == {"teacher pytorch", "new int8"}
    assert set(found.set_aside) == {"quick int8", "even int8", "slow fp32"}


@pytest.mark.parametrize(
    "change",
    [
        {"place": HERE.model_copy(update={"python": "3.13.0"})},
        {"texts_digest": "other questions"},
    ],
)
def test_elsewhere_or_of_other_texts_nothing_is_reused(
    models: dict[str, Candidate], change: dict[str, Any]
) -> None:
    _search(models, _table())
    target = _table()
    found = _search(models, target, **change)
    assert [requests for requests, _ in target.asked] == [100, 500]
    assert not any(trial.reused for trial in found.trials)


def test_a_torn_screening_is_measured_again(models: dict[str, Candidate]) -> None:
    _search(models, _table())
    for path in (storage.root() / "screenings").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    target = _table()
    _search(models, target)
    assert [requests for requests, _ in target.asked] == [100, 500]


def test_what_breaks_a_gate_whatever_the_clock_says_is_not_timed(
    models: dict[str, Candidate],
) -> None:
    target = _table()
    found = _search(models, target, right={"quick int8": 50}, gates=Gates(accuracy_min=0.8))
    assert all(name != "quick int8" for _, asked in target.asked for name, _, _ in asked)
    assert found.best[0].candidate_name == "even int8"
    assert "quick int8" not in found.set_aside, "the judge says which gate it broke"


def test_without_the_teacher_there_is_nothing_to_count_from(models: dict[str, Candidate]) -> None:
    del models["teacher pytorch"]
    with pytest.raises(ValueError, match="the teacher in PyTorch"):
        _search(models, _table())
