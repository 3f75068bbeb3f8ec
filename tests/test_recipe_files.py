"""Recipe files: found, overridden, anchored; every mistake is one line with the mend."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from distillery import recipe_files
from distillery.errors import UserError
from distillery.recipe import Recipe
from distillery.teachers.classifier import Classifier
from distillery.teachers.pretrained import Pretrained

_STAGE = {"objective": "soft_targets", "temperature": 4.0, "training": {"epochs": 2}}


def _values(**changes: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"source": "clinc/clinc_oos", "config": "plus", "label": "intent"},
        "teacher": {"kind": "from_scratch", "hidden_size": 32},
        "students": [{"name": "one-layer", "kind": "from_layers", "layers": [0], "task": [_STAGE]}],
    } | changes


def _file(folder: Path, values: object) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


def _load(folder: Path, overrides: Sequence[str] = (), **changes: Any) -> Recipe:
    return recipe_files.load(str(_file(folder, _values(**changes))), overrides)


def _refusal(folder: Path, overrides: Sequence[str] = (), **changes: Any) -> str:
    with pytest.raises(UserError) as refused:
        _load(folder, overrides, **changes)
    line = str(refused.value)
    assert "\n" not in line
    return line


# finding


@pytest.mark.parametrize("name", recipe_files.shipped())
def test_every_shipped_recipe_loads(name: str) -> None:
    recipe = recipe_files.load(name)
    assert recipe.name == name
    assert recipe.description


def test_the_quickstart_reads_its_data_wherever_it_is_called_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (Path(recipe_files.load("quickstart").data.source) / "train.jsonl").is_file()


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(
        UserError, match=r"no recipe 'quikstart'; did you mean 'quickstart'\?"
    ) as one:
        recipe_files.load("quikstart")
    assert "or give the path of a YAML file" in str(one.value)


def test_a_recipe_like_no_other_names_all() -> None:
    with pytest.raises(UserError) as refused:
        recipe_files.load("zzz")
    assert f"choose one of {', '.join(recipe_files.shipped())}" in str(refused.value)
    assert "did you mean" not in str(refused.value)


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"there is no recipe file './nope.yaml'; choose one of"):
        recipe_files.load("./nope.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [unclosed", "is no readable YAML: .*line 1.*; mend the file"),
        ("", "holds no keys; it must begin with name, data, teacher"),
        ("- a\n- list", "holds no keys"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tiny.yaml").write_text(text)
    with pytest.raises(UserError, match=message) as refused:
        recipe_files.load(str(tmp_path / "tiny.yaml"))
    assert "\n" not in str(refused.value)


def test_a_file_of_bytes_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(UserError, match="is no readable YAML"):
        recipe_files.load(str(tmp_path / "tiny.yaml"))


# mistakes in keys and values


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("gatez.prefer=size", "unknown key 'gatez'; did you mean 'gates'?"),
        ("data.lable=intent", "unknown key 'data.lable'; did you mean 'label'?"),
        ("teacher.hiden_size=8", "unknown key 'teacher.hiden_size'; did you mean 'hidden_size'?"),
        ("gates.latency_p95_max=4", "did you mean 'latency_p95_ms_max'?"),
        ("students.0.layer=[0]", "unknown key 'students.0.layer'; did you mean 'layers'?"),
        (
            "students.0.task.0.temprature=4",
            "unknown key 'students.0.task.0.temprature'; did you mean 'temperature'?",
        ),
        (
            "students.0.task.0.training.epoch=4",
            "unknown key 'students.0.task.0.training.epoch'; did you mean 'epochs'?",
        ),
        (
            "benchmark.xyz=4",
            "unknown key 'benchmark.xyz'; choose one of cold_starts, offline, paddings, "
            "requests, rounds, seed, server",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, override: str, message: str) -> None:
    line = _refusal(tmp_path, [override])
    assert message in line
    assert line.startswith(f"recipe {tmp_path / 'tiny.yaml'}: ")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("gates.accuracy_kept_min", 1.5, "less than or equal to 1 (it is 1.5)"),
        ("gates.size_bytes_max", 0, "greater than 0 (it is 0)"),
        ("gates.prefer", "speed", "'latency', 'size' or 'accuracy' (it is 'speed')"),
        ("benchmark.requests", 10, "greater than or equal to 100 (it is 10)"),
        ("data.test_fraction", 0.5, "less than 0.5 (it is 0.5)"),
        ("teacher.layers", "many", "should be a valid integer"),
        ("students.0.layers.0", "first", "should be a valid integer"),
        ("students.0.task.0.temperature", 0, "greater than 0 (it is 0)"),
        ("students.0.task.0.training.epochs", 0, "greater than or equal to 1 (it is 0)"),
        ("students.0.name", "One", "should match pattern"),
        ("seeds", "[]", "at least 1 item"),
        ("export.tables.bits", 3, "4 or 8 (it is 3)"),
    ],
)
def test_a_value_out_of_bounds_names_its_key(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    line = _refusal(tmp_path, [f"{key}={value}"], export={"tables": {"bits": 8}})
    assert f"'{key}': " in line
    assert message in line


def test_a_missing_key(tmp_path: Path) -> None:
    assert "'data.source' is missing; add it" in _refusal(tmp_path, data={"label": "intent"})
    line = _refusal(tmp_path, students=[{"name": "one-layer", "kind": "from_layers"}])
    assert "'students.0.layers' is missing; add it" in line
    line = _refusal(tmp_path, students=[{"name": "one-layer", "layers": [0]}])
    assert "'students.0.kind' is missing; choose one of " in line
    assert "from_layers" in line


def test_a_misspelt_key_that_was_needed_is_told_as_misspelt(tmp_path: Path) -> None:
    line = _refusal(tmp_path, data={"sorce": "./rows.csv"})
    assert "unknown key 'data.sorce'; did you mean 'source'?" in line


def test_an_unknown_kind_names_the_choices(tmp_path: Path) -> None:
    line = _refusal(tmp_path, teacher={"kind": "huge"})
    assert "'teacher.kind': no 'huge'; choose one of " in line
    assert all(kind in line for kind in ("pretrained", "from_scratch", "classifier"))
    line = _refusal(tmp_path, ["students.0.task.0.objective=soft_target"])
    assert "'students.0.task.0.objective': no 'soft_target'; did you mean 'soft_targets'?" in line


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    line = _refusal(tmp_path, ["threads=-1", "gates.accuracy_min=2", "control=maybe"])
    assert line.endswith("(2 more)")


def test_a_rule_of_the_whole_recipe_keeps_its_words(tmp_path: Path) -> None:
    twice = [
        {"name": "a", "kind": "from_layers", "layers": [0]},
        {"name": "a", "kind": "from_layers", "layers": [1]},
    ]
    assert _refusal(tmp_path, students=twice).endswith(
        ": two students are named 'a'; give each its own name"
    )


# --set


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("threads=2", "threads", 2),
        ("teacher.hidden_size=64", "teacher.hidden_size", 64),
        ("gates.latency_p95_ms_max=4.5", "gates.latency_p95_ms_max", 4.5),  # makes gates
        ("students.0.task.0.temperature=8", "students.0.task.0.temperature", 8.0),
        ("students.0.layers.0=3", "students.0.layers.0", 3),
        ("students.0.layers=[1, 2]", "students.0.layers", (1, 2)),
        ("control=false", "control", False),
        ("data.config=null", "data.config", None),
        ("description=a=b", "description", "a=b"),
        ("description=", "description", None),
    ],
)
def test_an_override(tmp_path: Path, override: str, path: str, value: object) -> None:
    if override == "description=":  # nothing is YAML's null, and a description is text
        assert "'description': " in _refusal(tmp_path, [override])
        return
    found: Any = _load(tmp_path, [override])
    for part in path.split("."):
        found = found[int(part)] if part.isdigit() else getattr(found, part)
    assert found == value


def test_overrides_apply_in_order_and_leave_the_file_alone(tmp_path: Path) -> None:
    before = _file(tmp_path, _values()).read_text()
    recipe = _load(tmp_path, ["threads=2", "threads=3"])
    assert recipe.threads == 3
    assert (tmp_path / "tiny.yaml").read_text() == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "threads",
            "--set threads: write it as key=value, such as students.0.task.0.temperature=4",
        ),
        ("=4", "--set =4: write it as key=value"),
        (
            "students.1.name=b",
            "--set students.1.name: '1' is no position in a list of 1; choose 0 to 0",
        ),
        ("students.0.layers.2=1", "'2' is no position in a list of 1"),
        ("students.-1.name=b", "'-1' is no position in a list of 1"),
        ("students.first.name=b", "'first' is no position in a list of 1"),
        ("name.of.it=b", "--set name.of.it: 'name' holds a value, not keys"),
        ("data.source.folder=b", "--set data.source.folder: 'data.source' holds a value, not keys"),
        ("name=[a", "--set name: '[a' is no YAML value; quote it"),
    ],
)
def test_an_override_that_cannot_be(tmp_path: Path, override: str, message: str) -> None:
    assert message in _refusal(tmp_path, [override])


# sources


@pytest.mark.parametrize("source", ["./rows", "../rows"])
def test_a_source_in_the_file_is_relative_to_the_file(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "sub"
    folder.mkdir()
    teacher = {"kind": "pretrained", "source": source}
    recipe = _load(folder, data={"source": source}, teacher=teacher)
    expected = str(tmp_path / "sub" / "rows" if source.startswith("./") else tmp_path / "rows")
    assert isinstance(recipe.teacher, Pretrained)
    assert (recipe.data.source, recipe.teacher.source) == (expected, expected)


@pytest.mark.parametrize("source", ["clinc/clinc_oos", "/absolute/rows", "~/rows"])
def test_other_sources_stay_as_they_are(tmp_path: Path, source: str) -> None:
    recipe = _load(
        tmp_path, data={"source": source}, teacher={"kind": "classifier", "source": source}
    )
    assert isinstance(recipe.teacher, Classifier)
    assert (recipe.data.source, recipe.teacher.source) == (source, source)


def test_a_source_in_an_override_is_relative_to_the_user(tmp_path: Path) -> None:
    assert _load(tmp_path, ["data.source=./mine"]).data.source == "./mine"


# writing


def test_a_recipe_written_reads_back(tmp_path: Path) -> None:
    recipe = _load(
        tmp_path,
        description="Größe × 2: 'quoted', yes",
        seeds=[1, 2, 3],
        gates={"accuracy_kept_min": 0.95, "prefer": "size"},
        export={"quantizations": [{"kind": "int8_static", "calibration": "entropy"}]},
    )
    written = tmp_path / "written.yaml"
    written.write_text(recipe_files.as_yaml(recipe), encoding="utf-8")
    assert recipe_files.load(str(written)) == recipe
    assert "Größe × 2" in written.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", recipe_files.shipped())
def test_shipped_recipes_written_read_back(tmp_path: Path, name: str) -> None:
    recipe = recipe_files.load(name)
    written = tmp_path / "written.yaml"
    written.write_text(recipe_files.as_yaml(recipe), encoding="utf-8")
    assert recipe_files.load(str(written)) == recipe
