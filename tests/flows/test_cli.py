"""What a user can get wrong is one line and exit code 2; help needs no heavy import."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from export import tiny

from distillery.runtimes.base import Card

_DISTILLERY = str(Path(sys.executable).parent / "distillery")


def _run(tmp_path: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [_DISTILLERY, *arguments],
        env={
            **os.environ,
            "DISTILLERY_STORAGE": str(tmp_path / "storage"),
            "HF_HUB_OFFLINE": "1",
            "COLUMNS": "200",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys; sys.argv = ['distillery', '--help']\n"
        "from flows.cli import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'prefect', 'mlflow', 'datasets', 'onnxruntime'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "LOADED []" in done.stdout
    for command in ("compress", "benchmark", "recipes", "check", "predict", "ui", "status"):
        assert command in done.stdout


def test_recipes_are_listed_as_json(tmp_path: Path) -> None:
    done = _run(tmp_path, "recipes", "--json")
    assert done.returncode == 0
    assert {"quickstart", "clinc150"} <= set(json.loads(done.stdout))


def test_check_says_what_a_run_would_do(tmp_path: Path) -> None:
    done = _run(tmp_path, "check", "quickstart", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["rows"]["train"] > 1000
    assert plan["parameters"]["one-layer"] < plan["parameters"]["teacher"]


def test_check_tells_of_every_teacher_of_an_ensemble(tmp_path: Path) -> None:
    small = "{kind: from_scratch, layers: 2, hidden_size: 48, heads: 4}"
    ensemble = f"teacher={{kind: ensemble, members: [{small}, {small}]}}"
    done = _run(tmp_path, "check", "quickstart", "--set", ensemble)
    assert done.returncode == 0, done.stderr
    assert "teacher-1" in done.stdout
    assert "teacher-2" in done.stdout
    assert "of the ensemble" in done.stdout


def _csv(tmp_path: Path, name: str, content: str) -> str:
    path = tmp_path / name
    path.write_text(content)
    return f"data.source={path}"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("students.0.task.0.temperature=0", "temperature"),
        ("students.0.task.0.temperatur=2", "did you mean 'temperature'"),
        ("students.0.layers=[0, 9]", "teacher layer 9 is out of range"),
        ("data.label=topic", "no column 'topic'"),
        ("data.source=nobody/nothing", "local folder"),
        ("gates.size_bytes_max=1000", "can be passed by no student"),
        ("gates.accuracy_min=1.5", "gates.accuracy_min"),
        ("teacher={kind: pretrained, source: nobody/nothing}", "teacher: cannot reach"),
        ("teacher.max_length=4", "teacher.max_length"),
        ("nonsense", "write it as key=value"),
    ],
)
def test_each_mistake_is_one_line(tmp_path: Path, override: str, expected: str) -> None:
    done = _run(tmp_path, "compress", "quickstart", "--set", override)
    _assert_one_line(done, expected)
    assert not (tmp_path / "storage" / "artifacts").exists(), "nothing half-written"


def test_data_mistakes_are_one_line(tmp_path: Path) -> None:
    rows = "text,label\n" + "\n".join(f"a {i},x\nb {i},y" for i in range(10))
    cases = {
        "one.csv": (f"{rows}\nlonely,z\n", "label 'z' has a single training row"),
        "empty.csv": ("", "is empty"),
        "numbers.csv": ("text,label\n" + "1,x\n2,x\n3,y\n4,y\n" * 4, "not text"),
        "broken.parquet": ("not parquet", "cannot read"),
    }
    for name, (content, expected) in cases.items():
        source = _csv(tmp_path, name, content)
        done = _run(tmp_path, "check", "quickstart", "--set", source, "--set", "data.label=label")
        _assert_one_line(done, expected)


def test_an_unknown_recipe_names_the_nearest(tmp_path: Path) -> None:
    _assert_one_line(_run(tmp_path, "compress", "quikstart"), "did you mean 'quickstart'")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere.onnx"], "no model 'nowhere.onnx'"),
        (["broken.onnx"], "cannot be read as ONNX"),
        (["broken.onnx", "--scenario", "request=100"], "did you mean 'requests'"),
        (["models:/nobody@champion"], "no registered model"),
        (["broken.onnx", "--target", "tpu"], "no target 'tpu'; choose one of cpu"),
    ],
)
def test_what_cannot_be_benchmarked_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.onnx").write_bytes(b"this is no graph")
    _assert_one_line(_run(tmp_path, "benchmark", *arguments), expected)


def test_a_missing_compiler_is_one_line(tmp_path: Path) -> None:
    tiny.save_checkpoint(tmp_path / "model", "distilbert")
    Card(name="model", label_names=tiny.LABELS, max_length=12, is_pair=False, pad_token_id=0).write(
        tmp_path / "model"
    )
    done = _run(
        tmp_path,
        *["benchmark", f"compiled:{tmp_path / 'model'}"],
        CXX="no-such-compiler",
        TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "inductor"),
    )
    _assert_one_line(done, "cannot run on cpu: torch.compile finds no C++ compiler; install g++")


def test_a_dead_tracking_server_is_one_line(tmp_path: Path) -> None:
    done = _run(tmp_path, "check", "quickstart", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    _assert_one_line(done, "does not answer")


def test_a_dead_prefect_server_is_one_line(tmp_path: Path) -> None:
    done = _run(tmp_path, "compress", "quickstart", PREFECT_API_URL="http://127.0.0.1:9/api")
    _assert_one_line(done, "unset PREFECT_API_URL")


def test_predicting_with_an_unknown_model_is_one_line(tmp_path: Path) -> None:
    _assert_one_line(_run(tmp_path, "predict", "models:/nope@champion", "hello"), "cannot load")


def test_status_with_nothing_yet_says_how_to_begin_and_makes_nothing(tmp_path: Path) -> None:
    done = _run(tmp_path, "status")
    assert done.returncode == 0, done.stderr
    assert "Nothing here yet" in done.stdout
    assert json.loads(_run(tmp_path, "status", "--json").stdout)["models"] == []
    assert not (tmp_path / "storage").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["status"], {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}, "does not answer"),
        (["status"], {"PREFECT_API_URL": "http://127.0.0.1:9/api"}, "does not answer"),
        (["retain", "--set", "age_day=3"], {}, "did you mean 'age_days'"),
        (["monitor", "--set", "rows_min=1"], {}, "rows_min"),
        (["monitor", "--labelled", "rows.csv"], {}, "name the model, too"),
    ],
)
def test_what_housekeeping_cannot_do_is_one_line(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], expected: str
) -> None:
    _assert_one_line(_run(tmp_path, *arguments, **environment), expected)


def _assert_one_line(done: "subprocess.CompletedProcess[str]", expected: str) -> None:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert expected in lines[0], lines[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
