"""A served version held against its training: a fake place, a real MLflow, real HTTP."""

import json
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from factories import LABELS, make_candidate, make_dataset
from gateways import Shelf, answering
from prefect.artifacts import Artifact
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL

from distillery import storage, tracking
from distillery.errors import UserError
from distillery.monitoring import journal, watching
from distillery.monitoring.drift import Drift
from distillery.monitoring.reference import DATASET_FILE
from distillery.nouns import Dataset, RegisteredVersion, Split
from distillery.recipe import Data
from distillery.runtimes.base import Card
from flows.server import TemporaryServer
from tasks.announce_drift import announce_drift
from tasks.record_watch import record_watch
from tasks.watch_model import watch_model

LIMITS = Drift()
_TRAIN = Split(rows=2000, label_counts=(1000, 1000), length_histogram=(500, 500, 500, 500, 0, 0, 0))
_AS_TRAINED = {"counts": {"no": 100, "yes": 100}, "lengths": (50, 50, 50, 50, 0, 0, 0)}
_MOVED = {"counts": {"no": 20, "yes": 180}, "lengths": (0, 0, 0, 20, 80, 100, 0)}


@pytest.fixture(autouse=True)
def _store(tracking_store: Path) -> None: ...


def _registered(*, test_rows: int = 1000, findings: bool = False, **of: Any) -> RegisteredVersion:
    test = make_dataset().test.model_copy(update={"rows": test_rows})
    dataset = make_dataset(train=_TRAIN, test=test, **of)
    run = tracking.open_flow_run("recipe", "flow-1", {})
    if findings:
        run.text(json.dumps({"dataset": dataset.model_dump(mode="json")}), "findings.json")
    else:
        run.text(dataset.model_dump_json(), DATASET_FILE)
    return _version(dataset, {"mlflow_run_id": run.run_id, "accuracy": "0.95"})


def _version(dataset: Dataset, tags: dict[str, str]) -> RegisteredVersion:
    with storage.new_folder() as folder:
        card = Card(name="c", label_names=LABELS, max_length=8, is_pair=False, pad_token_id=0)
        card.write(folder)
        (folder / "model.onnx").write_text(dataset.digest)
        artifact = storage.put(folder, "candidate")
    if dataset.label_kind == "score":
        tags = {**tags, "spearman": tags["accuracy"]}
        del tags["accuracy"]
    with tracking.step_run("flow-1", "register") as step:
        return tracking.register(
            make_candidate("small int8", artifact=artifact),
            model="m",
            tags={f"distillery.{name}": value for name, value in tags.items()},
            step=step,
        )


@pytest.mark.parametrize("findings", [False, True])
def test_what_is_asked_as_in_training_crosses_nothing(findings: bool) -> None:
    version = _registered(findings=findings)
    seen = watching.watch("m", Shelf(serves=version.version, **_AS_TRAINED), LIMITS)
    assert [shift.aspect for shift in seen.shifts] == ["classes", "lengths"]
    assert seen.crossings == ()
    assert seen.rows == 200


def test_what_moved_crosses_in_both() -> None:
    version = _registered()
    seen = watching.watch("m", Shelf(serves=version.version, **_MOVED), LIMITS)
    assert [crossing.kind for crossing in seen.crossings] == ["classes", "lengths"]
    classes, lengths = (crossing.reason for crossing in seen.crossings)
    assert "'no': 50.0% → 10.0%" in classes or "'yes': 50.0% → 90.0%" in classes
    assert "words'" in lengths


def test_only_what_came_since_the_last_comparison_is_compared() -> None:
    version = _registered()
    place = Shelf(serves=version.version, counts={"no": 50_000, "yes": 50_000})
    journal.write(watching.watch("m", place, LIMITS))
    later = place.model_copy(update={"counts": {"no": 50_010, "yes": 50_190}})
    seen = watching.watch("m", later, LIMITS)
    assert seen.rows == 200
    assert [crossing.kind for crossing in seen.crossings] == ["classes"]
    of_all = {"no": 50_010 / 100_200, "yes": 50_190 / 100_200}
    assert of_all["yes"] < 0.51, "it would drown in what was counted before"


def test_what_is_too_little_waits_for_more() -> None:
    version = _registered()
    place = Shelf(serves=version.version, counts={"no": 0, "yes": 150})
    first = watching.watch("m", place, LIMITS)
    assert (first.shifts, first.note) == ((), "150 rows so far; it takes 200 to compare")
    assert journal.write(first) is None
    more = place.model_copy(update={"counts": {"no": 0, "yes": 201}})
    assert watching.watch("m", more, LIMITS).rows == 201


def test_a_place_that_began_anew_is_counted_from_there() -> None:
    version = _registered()
    place = Shelf(serves=version.version, counts={"no": 500, "yes": 500})
    journal.write(watching.watch("m", place, LIMITS))
    counts = {"no": 700, "yes": 1000}
    restarted = place.model_copy(update={"since": "2026-02-01T00:00:00+00:00", "counts": counts})
    assert watching.watch("m", restarted, LIMITS).rows == 1700
    lost = place.model_copy(update={"counts": {"no": 200, "yes": 100}})
    assert watching.watch("m", lost, LIMITS).rows == 300


def test_what_cannot_be_watched_says_so() -> None:
    version = _version(make_dataset(), {"accuracy": "0.9"})
    served = Shelf(serves=version.version, **_AS_TRAINED)
    with pytest.raises(UserError, match="not registered by distillery compress"):
        watching.watch("m", served, LIMITS)
    with pytest.raises(UserError, match="place does not answer"):
        watching.watch("m", Shelf(breaks=True), LIMITS)
    found = watch_model.fn("m", Shelf(breaks=True), LIMITS, None)
    assert found.failed
    assert "place does not answer" in found.note
    assert "nothing answers" in watching.watch("m", Shelf(), LIMITS).note


def _csv(tmp_path: Path, rows: int, label: str = "yes") -> Data:
    path = tmp_path / "later.csv"
    path.write_text("text,label\n" + "".join(f"a question {i},{label}\n" for i in range(rows)))
    return Data(source=str(path))


def _half_wrong(record: dict[str, Any]) -> dict[str, str]:
    return {"label": "yes" if int(record["text"].split()[-1]) % 2 else "no"}


def test_labelled_rows_are_asked_and_judged(tmp_path: Path) -> None:
    version = _registered()
    with answering(_half_wrong, {"X-Distillery-Digest": "d"}) as address:
        place = Shelf(serves=version.version, address=address)
        seen = watching.watch("m", place, LIMITS, _csv(tmp_path, 100))
    assert seen.merit is not None
    assert (seen.merit.merit, seen.merit.rows) == (0.5, 100)
    assert [crossing.kind for crossing in seen.crossings] == ["accuracy"]
    journal.write(seen)
    assert tracking.tags_of(version)["distillery.live_accuracy"] == "0.5"


def test_labelled_pairs_and_scores(tmp_path: Path) -> None:
    version = _registered(is_pair=True, score_range=(0.0, 1.0), label_names=("score",))
    path = tmp_path / "pairs.csv"
    path.write_text("one,two,label\n" + "".join(f"a,{i} b,{i / 100}\n" for i in range(100)))
    data = Data(source=str(path), text="one", text_pair="two", label_kind="score")
    with answering(lambda r: {"score": -float(r["text_pair"].split()[0])}) as address:
        place = Shelf(serves=version.version, address=address)
        seen = watching.watch("m", place, LIMITS, data)
    assert seen.merit is not None
    assert seen.merit.merit == pytest.approx(-1)
    assert [crossing.kind for crossing in seen.crossings] == ["spearman"]


def test_labelled_rows_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    version = _registered()
    with answering(lambda record: record["nothing"]) as address:
        place = Shelf(serves=version.version, address=address)

        def refused(data: Data, served: Shelf = place) -> str:
            with pytest.raises(UserError) as caught:
                watching.watch("m", served, LIMITS, data)
            return str(caught.value)

        assert "reads single texts" in refused(Data(source="x", text_pair="other"))
        assert "predicts a class" in refused(Data(source="x", label_kind="score"))
        assert "reads single texts" in refused(Data(source="x", image="image"))
        assert "'up' and all other labels" in refused(_csv(tmp_path, 3, "up"))
        rows = _csv(tmp_path, 3)
        assert "refused the rows with 400" in refused(rows)
        elsewhere = place.model_copy(update={"address": "arn:aws:sagemaker:endpoint"})
        assert "not asked over HTTP" in refused(rows, elsewhere)
        nobody = place.model_copy(update={"address": "http://127.0.0.1:9"})
        assert "gave no answer that can be read" in refused(rows, nobody)
    with answering(_half_wrong, {"X-Distillery-Digest": "another"}) as address:
        changed = place.model_copy(update={"address": address})
        assert "deployed anew while it was asked" in refused(rows, changed)


def _events(model: str, wanted: int) -> list[Any]:
    """What the Prefect server knows of a model, once it knows that many."""
    EventsWorker.instance().wait_until_empty()
    body = {"filter": {"resource": {"id": [f"distillery.model.{model}"]}}}
    until = time.monotonic() + 30
    while True:
        request = urllib.request.Request(
            f"{PREFECT_API_URL.value()}/events/filter",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            found = json.load(response)["events"]
        if len(found) >= wanted or time.monotonic() > until:
            return list(found)
        time.sleep(0.1)


@pytest.mark.slow
def test_a_crossing_is_an_event_once_a_day_and_a_table_and_a_plot() -> None:
    version = _registered()
    seen = watching.watch("m", Shelf(serves=version.version, **_MOVED), LIMITS)
    with TemporaryServer().in_use():
        assert [one.kind for one in announce_drift.fn(seen)] == ["classes", "lengths"]
        assert announce_drift.fn(seen) == ()
        record_watch.fn([seen])
        found = _events("m", wanted=2)
        plot, table = (str(Artifact.get(key)) for key in ("drift-m", "monitor"))
    assert {event["event"] for event in found} == {"distillery.drift"}
    payloads = {event["payload"]["kind"]: event["payload"] for event in found}
    assert set(payloads) == {"classes", "lengths"}
    assert payloads["classes"]["model"] == "m"
    assert payloads["classes"]["reason"].startswith("classes moved: PSI")
    assert "data='data:image/png;base64," in plot
    assert '"what": "classes"' in table
    tags = tracking.tags_of(version)
    assert float(tags["distillery.live_classes_psi"]) > 0.25
    yesterday = {"distillery.drift_classes": "2000-01-01: long ago"}
    tracking.tag_version(version, yesterday)
    today = datetime.now(UTC).date().isoformat()
    assert [journal.is_news(seen, one, today) for one in seen.crossings] == [True, False]
