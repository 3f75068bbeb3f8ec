"""The main job as a user runs it: real processes, a real registry, a real HTTP server."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from machine import TINY, Home, Outcome, finished, sets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(folder=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first(home: Home) -> Outcome:
    return home.compress()


def test_a_model_is_promoted_and_every_model_is_a_version(first: Outcome) -> None:
    assert first.code == 0
    assert first.summary["promoted"]
    names = {version["candidate_name"] for version in first.summary["versions"]}
    assert names == {
        f"{model} {precision}"
        for model in ("teacher", "one-layer", "one-layer-control")
        for precision in ("fp32", "int8")
    }
    champions = [v for v in first.summary["versions"] if "champion" in v["aliases"]]
    assert [v["candidate_name"] for v in champions] == [first.summary["winner"]]
    assert Path(first.summary["report"]).is_file()
    timed = {row["candidate"]: row for row in first.summary["measurements"]}
    assert set(timed) == {
        *(f"teacher {kind}" for kind in ("pytorch", "fp32", "int8")),
        *(f"one-layer {kind}" for kind in ("pytorch", "fp32", "int8")),
    }
    (offline,) = timed["one-layer int8"]["offline"]
    assert (offline["batch_size"], offline["batches"]) == (32, 3)
    assert first.trained() == {
        "fine-tune-teacher",
        "compute-soft-labels",
        "distill-student",
        "train-control",
    }


def test_lineage_stands_on_the_version(home: Home, first: Outcome) -> None:
    with sqlite3.connect(home.folder / "storage" / "mlflow.db") as database:
        rows = database.execute("select version, key, value from model_version_tags").fetchall()
    tags: dict[str, dict[str, str]] = {}
    for version, key, value in rows:
        tags.setdefault(str(version), {})[key.removeprefix("distillery.")] = value
    version_of = {one["candidate"]: version for version, one in tags.items()}
    student = tags[version_of["one-layer int8"]]
    assert student["parent_version"] == version_of["one-layer fp32"]
    assert tags[version_of["one-layer fp32"]]["parent_version"] == version_of["teacher fp32"]
    assert student["flow_run_id"] == first.summary["flow_run_id"]
    for key in ("role", "precision", "code", "data_digest", "recipe_digest", "reasons"):
        assert student[key]
    for fact in ("accuracy", "accuracy_kept", "latency_p95_ms", "speedup", "size_bytes"):
        assert float(student[fact]) > 0
    winner = tags[version_of[first.summary["winner"]]]
    assert winner["decision"] == "accepted"
    assert winner["decision_flow_run_id"] == first.summary["flow_run_id"]
    assert winner["requested_by"] == "Prefect flow run compress-quickstart"
    with sqlite3.connect(home.folder / "storage" / "mlflow.db") as database:
        of_model = dict(database.execute("select key, value from registered_model_tags"))
    assert json.loads(of_model["distillery.gates"])["accuracy_kept_min"] == 0.2
    assert of_model["distillery.accepted_version"] == version_of[first.summary["winner"]]


def test_a_version_that_lost_may_be_promoted_by_hand_and_a_control_may_not(
    home: Home, first: Outcome
) -> None:
    version_of = {v["candidate_name"]: v["version"] for v in first.summary["versions"]}
    done = home.run("promote", "quickstart", version_of["one-layer-control int8"])
    assert done.returncode == 2
    assert "control: trained to compare with" in " ".join(done.stderr.split())
    done = home.run("promote", "quickstart", version_of["teacher fp32"], "--json")
    assert json.loads(done.stdout)["champion"] == version_of["teacher fp32"]
    done = home.run("rollback", "quickstart", "--json")
    assert json.loads(done.stdout)["champion"] == version_of[first.summary["winner"]]


def test_an_unchanged_run_trains_nothing_and_registers_nothing(home: Home, first: Outcome) -> None:
    second = home.compress()
    assert second.trained() == set()
    assert finished(second.log, "benchmark-candidates", "Completed()"), "never cached"
    assert {v["version"] for v in second.summary["versions"]} == {
        v["version"] for v in first.summary["versions"]
    }
    assert home.runs_left_running() == 0


def test_another_temperature_trains_that_student_only(home: Home, first: Outcome) -> None:
    changed = home.compress("students.0.task.0.temperature=5")
    assert changed.trained() == {"distill-student"}


def test_a_temperature_study_trains_only_what_is_new_and_registers_nothing(
    home: Home, first: Outcome
) -> None:
    # the student has T=4 and these weights: its limit alone is left to train
    studied = home.compress("temperature_study={temperatures: [4], shares_ce: [0.2]}")
    assert studied.log.count("epoch 1 of 2") == 1
    assert {v["version"] for v in studied.summary["versions"]} == {
        v["version"] for v in first.summary["versions"]
    }
    study = studied.summary["temperature_study"]
    (variant,), (limit,), (control,) = (study[key] for key in ("variants", "limits", "controls"))
    (gain,) = first.summary["gains"]
    assert [variant["test_accuracy"]] == gain["student_accuracies"]
    assert [control["test_accuracy"]] == gain["control_accuracies"]
    assert limit["temperature"] is None


def test_over_seeds_the_gain_has_an_interval_and_the_best_seed_goes_on(
    home: Home, first: Outcome
) -> None:
    several = home.compress("seeds=[13, 14, 15]")
    assert several.trained() == {"distill-student", "train-control"}  # of the new seeds
    (gain,) = several.summary["gains"]
    assert gain["method"] == "paired t over seeds"
    assert len(gain["student_accuracies"]) == len(gain["control_accuracies"]) == 3
    assert gain["interval_low"] < gain["mean_gain"] < gain["interval_high"]
    names = [version["candidate_name"] for version in several.summary["versions"]]
    assert len(names) == len(set(names)) == 6, "one student and one control, whatever the seeds"


def test_a_damaged_artifact_is_noticed_and_made_again(home: Home, first: Outcome) -> None:
    (logits,) = (home.folder / "storage" / "artifacts" / "soft-labels").glob("*/*.npy")
    content = logits.read_bytes()
    logits.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    again = home.compress()
    assert again.trained() == {"compute-soft-labels"}
    assert "damaged" in again.log
    assert logits.read_bytes() == content


def test_no_model_passes_impossible_demands_and_the_exit_code_says_so(
    home: Home, first: Outcome
) -> None:
    refused = home.compress("gates={speedup_min: 9999}", "model=demanding")
    assert refused.code == 1
    assert not refused.summary["promoted"]
    assert "no candidate passed" in refused.summary["summary"]
    assert all(v["aliases"] == [] for v in refused.summary["versions"])


def test_the_command_line_predicts_with_the_champion(home: Home, first: Outcome) -> None:
    done = home.run("predict", "models:/quickstart@champion", "where is my parcel?", "", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 2
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert found[0]["label"] == max(
        found[0]["probabilities"], key=found[0]["probabilities"].__getitem__
    )


def test_the_champion_is_benchmarked_beside_a_graph_that_is_not_ours(
    home: Home, first: Outcome, tmp_path: Path
) -> None:
    weights, *_ = (  # other tests leave more of that name
        path
        for path in (home.folder / "storage" / "artifacts" / "candidate").glob("*/model.onnx")
        if json.loads((path.parent / "candidate.json").read_text())["name"] == "one-layer fp32"
    )
    for name in ("model.onnx", "tokenizer.json"):
        shutil.copy(weights.parent / name, tmp_path / name)
    theirs = str(tmp_path / "model.onnx")
    quick = ["requests=100", "rounds=2", "offline={batch_sizes: [1, 4], batches: 3}"]
    scenario = [*quick, "cold_starts=1", "server={p99_objective_ms: 1000, rates: 1}"]
    done = home.run(
        *["benchmark", "models:/quickstart@champion", theirs, "--tokens", "24", "--json"],
        *["--report", str(tmp_path / "report")],
        *[part for one in scenario for part in ("--scenario", one)],
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    champion, other = found["models"]
    assert (champion["runtime"], other["runtime"]) == ("onnxruntime", "onnx_file")
    assert [row["batch_size"] for row in champion["offline"]] == [1, 4]
    assert len(other["cold_starts"]) == 1
    (point,) = other["server"]["points"]
    assert point["requests"] == 700
    (comparison,) = found["comparisons"]
    assert comparison["verdict"] in ("faster", "slower", "tie")
    samples = pq.read_table(tmp_path / "report" / "samples.parquet")
    # of each: 100 requests and 2 · 3 batches, both ways; 700 arrivals; 3 parts of a cold start
    assert samples.num_rows == 2 * (2 * 100 + 2 * 6 + 700 + 3)
    assert home.runs_left_running() == 0
    logged = list((home.folder / "storage" / "mlartifacts").rglob("samples.parquet"))
    assert any(path.parent.name == "artifacts" for path in logged), "of the benchmark's own run"


def test_the_registered_model_answers_over_http_without_torch(home: Home, first: Outcome) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scripts = str(Path(sys.executable).parent)
    blocked = home.folder / "blocked"
    (blocked / "torch").mkdir(parents=True)
    (blocked / "torch" / "__init__.py").write_text("raise ImportError('no torch here')")
    server = subprocess.Popen(
        [
            f"{scripts}/mlflow",
            *[
                "models",
                "serve",
                "--env-manager",
                "local",
                "--model-uri",
                "models:/quickstart@champion",
            ],
            *f"--host 127.0.0.1 --port {port}".split(),
        ],
        env={
            **home.environment,
            "MLFLOW_TRACKING_URI": f"sqlite:///{home.folder / 'storage' / 'mlflow.db'}",
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "PYTHONPATH": str(blocked),
        },
        cwd=home.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        body = json.dumps({"dataframe_records": [{"text": "cancel my order please"}]}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
        )
        until = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    answer = json.load(response)
                break
            except OSError:
                assert time.monotonic() < until, "the server did not answer"
                assert server.poll() is None, "the server died"
                time.sleep(0.5)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    (prediction,) = answer["predictions"]
    assert prediction["label"] in prediction["probabilities"]
    assert 0 < prediction["probability"] <= 1


def _servers_of(home: Home) -> list[int]:
    """Process ids of the temporary Prefect servers started from this home."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            if "DISTILLERY_TEMPORARY_SERVER" in environment and environment.get(
                "PREFECT_HOME"
            ) == str(home.folder / "prefect"):
                found.append(process.pid)
    return found


def test_killed_in_a_training_and_run_again(home: Home, first: Outcome, tmp_path: Path) -> None:
    """Finished steps are not repeated, and no MLflow run stays RUNNING."""
    fresh = Home(folder=tmp_path)
    shutil.copytree(home.folder / "prefect", tmp_path / "prefect")  # the database's migrations
    process = fresh.start("compress", "quickstart", *sets(*TINY))
    assert process.stderr is not None
    for line in process.stderr:
        if "distill-student" in line or "compute-soft-labels" in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert fresh.runs_left_running() > 0
    assert _servers_of(fresh), "its temporary server is an orphan now"
    again = fresh.compress()
    assert not _servers_of(fresh)
    assert again.code == 0
    assert "fine-tune-teacher" not in again.trained()
    assert fresh.runs_left_running() == 0
    digests = [
        sorted(v["candidate_digest"] for v in outcome.summary["versions"])
        for outcome in (first, again)
    ]
    assert digests[0] == digests[1], "a crash changes nothing in the result"
