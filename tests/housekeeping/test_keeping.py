"""Housekeeping over a real SQLite MLflow and a real storage folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import LABELS, make_candidate
from gateways import Shelf
from mlflow import MlflowClient
from mlflow.entities import ViewType
from stores import Store

from distillery import digests, storage, tracking
from distillery.deployment.base import Place
from distillery.errors import UserError
from distillery.housekeeping import keeping, storage_house
from distillery.housekeeping.keeping import Tidied
from distillery.housekeeping.retention import Plan, Retention, plan
from distillery.nouns import Artifact, RegisteredVersion
from distillery.runtimes.base import Card
from distillery.tracking import inventory

NOW = Retention(age_days=0, flow_runs=0, versions=0, stale_hours=1)
_LONG_AGO = time.time() - 90 * 86_400


@pytest.fixture(autouse=True)
def _store(tracking_store: Path) -> None: ...


def _artifact(kind: str, content: str) -> Artifact:
    with storage.new_folder() as folder:
        _fill(folder, content)
        return storage.put(folder, kind)


def _fill(folder: Path, content: str) -> None:
    Card(name="c", label_names=LABELS, max_length=8, is_pair=False, pad_token_id=0).write(folder)
    (folder / "model.onnx").write_text(content)


def _result(key: str, *texts: str) -> Path:
    """A step's cached result, as far as housekeeping reads it."""
    path = storage.root() / "results" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(" ".join(texts))
    return path


def _flow_run(name: str, *, parent: str = "none") -> RegisteredVersion:
    """What a compress run leaves behind: artifacts, results, a report, a version."""
    run = tracking.open_flow_run("recipe", name, {})
    data, checkpoint, candidate, soft = (
        _artifact(kind, f"{kind} of {name}")
        for kind in ("dataset", "checkpoint", "candidate", "soft-labels")
    )
    _result(f"distill-student-{name}", checkpoint.model_dump_json())
    _result(f"export-fp32-{name}", candidate.model_dump_json())
    _result(f"compute-soft-labels-{name}", soft.model_dump_json(), checkpoint.digest, data.digest)
    report = storage.root() / "reports" / name
    report.mkdir(parents=True)
    (report / "findings.json").write_text(f'["{data.digest}", "{checkpoint.digest}"]')
    tags = {
        "flow_run_id": name,
        "mlflow_run_id": run.run_id,
        "parent_version": parent,
        "checkpoint_digest": checkpoint.digest,
        "data_digest": data.digest,
    }
    with tracking.step_run(name, "register") as step:
        version = tracking.register(
            make_candidate(f"{name} int8", artifact=candidate),
            model="m",
            tags={f"distillery.{key}": value for key, value in tags.items()},
            step=step,
        )
    run.file(report / "findings.json")
    tracking.close_flow_run(name, "FINISHED")
    return version


def _aged() -> None:
    """Everything in the storage was last used long ago."""
    for path in [*storage.root().rglob("*")][::-1]:
        if path.exists():
            os.utime(path, (_LONG_AGO, _LONG_AGO))


def _tidy(keep: Retention = NOW, place: Place | UserError | None = None) -> Tidied:
    return keeping.carry_out(_plan(keep, place))


def _plan(keep: Retention = NOW, place: Place | UserError | None = None) -> Plan:
    return plan(keeping.take_inventory({"m": place} if place else {}), keep)


def _versions() -> set[str]:
    return {str(one.version) for one in MlflowClient().search_model_versions("name = 'm'")}


def _files_in_mlflow() -> int:
    return sum(1 for path in (storage.root() / "mlartifacts").rglob("*") if path.is_file())


def _stored(*kinds: str) -> set[str]:
    return {one.path for one in storage_house.listed() if not kinds or one.kind in kinds}


def test_an_aliased_version_survives_with_its_lineage_and_can_be_loaded() -> None:
    teacher = _flow_run("teachers")
    champion = _flow_run("champions", parent=teacher.version)
    old = _flow_run("forgotten")
    tracking.set_alias(champion, tracking.CHAMPION)
    _aged()

    tidied = _tidy()

    assert tidied.skipped == ()
    assert _versions() == {teacher.version, champion.version}
    assert tracking.download(champion).digest == champion.candidate_digest
    assert tracking.download(teacher).digest == teacher.candidate_digest
    left = _stored("result", "report")
    assert left == {
        f"{folder}{name}"
        for name in ("teachers", "champions")
        for folder in (
            "results/distill-student-",
            "results/export-fp32-",
            "results/compute-soft-labels-",
            "reports/",
        )
    }
    kinds = [path.split("/")[1] for path in _stored("artifact")]
    assert sorted(kinds) == sorted(["dataset", "checkpoint", "candidate", "soft-labels"] * 2)
    run_id = tracking.tags_of(champion)["distillery.mlflow_run_id"]
    assert tracking.run_text(run_id, "findings.json") is not None
    assert tracking.find_version("m", old.candidate_digest) is None


def test_all_that_was_promised_is_gone_from_disk() -> None:
    _flow_run("forgotten")
    (storage.root() / "work" / "new-abc").mkdir(parents=True)
    (storage.root() / "work" / "damaged-abc").mkdir()
    (storage.root() / "work" / "distill-student-forgotten").mkdir()
    decoded = storage.root() / "work" / "decoded" / "0f.npy"
    decoded.parent.mkdir()
    decoded.write_bytes(b"pixels")
    _aged()
    planned = _plan()
    assert planned.size_bytes > 0
    by_name = {removal.name: removal.why for removal in planned.removals}
    assert by_name["work/new-abc"] == "a killed process left it"
    assert by_name["work/distill-student-forgotten"] == "its step is finished"
    assert "work/decoded/0f.npy" in by_name

    tidied = keeping.carry_out(planned)

    assert tidied.removed == len(planned.removals)
    assert _stored() == set()
    assert _files_in_mlflow() == 0
    assert not any((storage.root() / "mlartifacts").rglob("*/artifacts"))
    assert _versions() == set()
    runs = MlflowClient().search_runs(["1"], run_view_type=ViewType.ALL)
    assert [run.info.run_id for run in runs] == []
    assert _plan().removals == (), "a second time there is nothing to do"


def test_a_dry_run_deletes_nothing() -> None:
    _flow_run("forgotten")
    _aged()
    before = _stored(), _files_in_mlflow(), _versions()
    assert _plan().removals
    assert (_stored(), _files_in_mlflow(), _versions()) == before


def test_what_is_young_or_among_the_newest_stays() -> None:
    first, second = _flow_run("first"), _flow_run("second")
    _aged()
    assert _plan(Retention()).removals == (), "MLflow's runs are young"
    kept = _plan(NOW.model_copy(update={"versions": 1})).kept
    assert [(one.name, one.why) for one in kept] == [(f"m/{second.version}", "among the 1 newest")]
    of_newest = _plan(NOW.model_copy(update={"flow_runs": 1}))
    assert "reports/first" in {one.name for one in of_newest.removals}
    assert "reports/second" not in {one.name for one in of_newest.removals}
    assert f"m/{first.version}" in {one.name for one in of_newest.removals}


def test_what_is_served_stays_and_so_does_all_of_a_place_that_is_silent() -> None:
    first, second = _flow_run("first"), _flow_run("second")
    _aged()
    kept = _plan(place=Shelf(serves=first.version)).kept
    assert [(one.name, one.why) for one in kept] == [(f"m/{first.version}", "served")]
    for place in (Shelf(breaks=True), UserError("its tag cannot be read")):
        silent = _plan(place=place)
        assert {one.name for one in silent.kept} == {f"m/{first.version}", f"m/{second.version}"}
        assert silent.told == ("the place of m does not answer: all its versions stay",)


def test_of_a_running_flow_run_nothing_goes() -> None:
    begun = time.time()
    tracking.open_flow_run("recipe", "now", {})
    with tracking.step_run("now", "register") as step:
        running = tracking.register(
            make_candidate("now int8", artifact=_artifact("candidate", "now")),
            model="m",
            tags={"distillery.flow_run_id": "now"},
            step=step,
        )
    _result("distill-student-now", "nothing")
    planned = _plan()
    assert time.time() - begun < 3600
    assert planned.removals == ()
    assert [(one.name, one.why) for one in planned.kept] == [
        (f"m/{running.version}", "its flow run is RUNNING")
    ]
    tracking.close_flow_run("now", "FINISHED")
    assert {"result", "artifact", "version", "run"} <= {one.kind for one in _plan().removals}


def test_what_is_used_between_plan_and_deletion_stays() -> None:
    _flow_run("forgotten")
    _aged()
    planned = _plan()
    again = _artifact("dataset", "dataset of forgotten")  # another run makes the same
    tidied = keeping.carry_out(planned)
    assert [one.name for one in tidied.skipped] == [again.uri]
    assert storage.is_intact(again)


def test_a_version_that_is_named_meanwhile_stops_everything() -> None:
    version = _flow_run("forgotten")
    _aged()
    planned = _plan()
    tracking.set_alias(version, tracking.CHAMPION)
    before = _stored()
    with pytest.raises(UserError, match=r"m/1 was named champion"):
        keeping.carry_out(planned)
    assert _stored() == before
    assert tracking.download(version).digest == version.candidate_digest


def test_what_people_deleted_and_what_others_made_is_not_touched() -> None:
    _flow_run("forgotten")
    client = MlflowClient()
    foreign = client.create_run("0").info.run_id
    deleted = client.create_run("0").info.run_id
    client.delete_run(deleted)
    experiment = client.create_experiment("to be restored")
    client.delete_experiment(experiment)
    _aged()
    _tidy()
    assert client.get_run(foreign).info.lifecycle_stage == "active"
    assert client.get_run(deleted).info.lifecycle_stage == "deleted"
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"


@pytest.mark.parametrize("after", [2, 17, 18])
def test_killed_halfway_the_next_time_finishes(after: int) -> None:
    _flow_run("forgotten")
    _aged()
    # a real process, killed outright when so many file-system deletions were begun
    script = (
        "import os, signal, sys\n"
        "from distillery import tracking\n"
        "from distillery.housekeeping import keeping\n"
        "from distillery.housekeeping.retention import Retention, plan\n"
        "tracking.connect()\n"
        "left = [int(sys.argv[1])]\n"
        "def count(event, arguments):\n"
        "    if event == 'shutil.rmtree' or event == 'os.rename':\n"
        "        left[0] -= 1\n"
        "        if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "keep = Retention(age_days=0, flow_runs=0, versions=0, stale_hours=1)\n"
        "planned = plan(keeping.take_inventory({}), keep)\n"
        "sys.addaudithook(count)\n"
        "keeping.carry_out(planned)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(after)], check=False)
    assert done.returncode == -signal.SIGKILL
    _tidy()
    assert _stored() == set()
    assert _files_in_mlflow() == 0
    assert _versions() == set()
    assert inventory.runs() == ()


def test_a_path_outside_the_storage_is_refused() -> None:
    outside = storage.root().parent / "precious"
    outside.mkdir()
    with pytest.raises(ValueError, match="not in the storage"):
        storage_house.remove("../precious", outside.stat().st_mtime)
    assert outside.exists()


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with Store().running() as store:
        yield store


@pytest.fixture
def store(server: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shared in S3; this machine's folder is where the tracking store is."""
    here = storage.root()
    server.renew()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DISTILLERY_CACHE", str(here))


def _shared(*kinds: str) -> set[str]:
    return {one.path for one in storage_house.listed() if one.shared_uri and one.kind in kinds}


def _artifacts_of(name: str) -> list[Artifact]:
    """What ``_flow_run`` made, found by making it again aside."""
    made = []
    for kind in ("dataset", "checkpoint", "candidate", "soft-labels"):
        with storage.new_folder() as folder:
            _fill(folder, f"{kind} of {name}")
            digest = digests.of_folder(folder)
        uri = f"artifacts/{kind}/{digest[:24]}"
        made.append(Artifact(uri=uri, digest=digest, size_bytes=1))
    return made


def _share_all() -> None:
    """As steps and publishing do."""
    for result in (storage.root() / "results").iterdir():
        storage.share_result(result.name)
    for report in (storage.root() / "reports").iterdir():
        storage.share_report(report)


@pytest.mark.usefixtures("store")
def test_what_is_shared_goes_by_the_same_rules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept, _ = _flow_run("kept"), _flow_run("gone")
    tracking.set_alias(kept, tracking.CHAMPION)
    _share_all()
    keys = {f"results/{path.name}" for path in (storage.root() / "results").glob("*-kept")}
    assert len(_shared("artifact")) == 8
    _aged()
    _tidy()
    assert _shared("result") == keys
    assert _shared("report") == {"reports/kept"}
    assert len(_shared("artifact")) == 4
    assert _shared("artifact") == {artifact.uri for artifact in _artifacts_of("kept")}
    assert _versions() == {kept.version}
    # another machine finds the champion's candidate whole, and nothing of the other's
    monkeypatch.setenv("DISTILLERY_CACHE", str(tmp_path / "second"))
    assert all(storage.is_intact(artifact) for artifact in _artifacts_of("kept"))
    assert "of kept" in (storage.fetch(_artifacts_of("kept")[0]) / "model.onnx").read_text()
    assert not any(storage.is_intact(artifact) for artifact in _artifacts_of("gone"))


@pytest.mark.usefixtures("store")
def test_what_another_machine_used_since_the_plan_stays() -> None:
    _flow_run("old")
    _share_all()
    _aged()
    planned = _plan()
    time.sleep(1.1)  # S3 tells times to the second
    shared = storage.shared()
    assert shared is not None
    assert shared.renew_result("distill-student-old")
    done = keeping.carry_out(planned)
    assert [one.name.rsplit("/", 1)[1] for one in done.skipped] == ["distill-student-old"]
    assert _shared("result") == {"results/distill-student-old"}
