"""What goes to an instance, and how it is unpacked there."""

import ast
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import make_entry

from distillery.aws import bundle, images, runner, user_data
from distillery.aws.bundle import Bundle
from distillery.benchmarking.plan import Entry, Plan
from distillery.measurements import Scenario
from distillery.runtimes.base import Example
from distillery.runtimes.images import Image


def _made(folder: Path, *entries: Entry, examples: list[Example] | None = None) -> Bundle:
    folder.mkdir()
    return bundle.make(
        folder,
        instance_type="c7i.xlarge",
        device="cpu",
        entries=entries,
        examples=examples or ["one", "two"],
        scenario=Scenario(),
        threads=1,
        examples_max=3,
    )


def test_equal_work_makes_equal_bytes(tmp_path: Path) -> None:
    entry = make_entry(tmp_path / "tiny")
    first, second = (_made(tmp_path / name, entry) for name in ("a", "b"))
    assert first.digest == second.digest
    assert [one.sha256 for one in first.parts] == [one.sha256 for one in second.parts]
    other = _made(tmp_path / "c", entry, examples=["one", "three"])
    assert other.digest != first.digest
    assert [a.name for a, b in zip(first.parts, other.parts, strict=True) if a != b] != []


def test_the_code_holds_neither_training_nor_what_asks_aws(tmp_path: Path) -> None:
    made = _made(tmp_path / "a", make_entry(tmp_path / "tiny"))
    code = next(part for part in made.parts if part.name == "code.zip")
    names = zipfile.ZipFile(code.path).namelist()
    folders = {name.split("/")[1] for name in names if name.count("/") > 1}
    assert folders == {"benchmarking", "runtimes"}
    assert code.size_bytes < 100_000


def test_pixels_go_as_pixels_and_no_more_than_asked(tmp_path: Path) -> None:
    drawn: list[Example] = [Image(np.full((2, 2), i, dtype=np.uint8)) for i in range(9)]
    made = _made(tmp_path / "a", make_entry(tmp_path / "tiny"), examples=drawn)
    assert "examples.npy" in [part.name for part in made.parts]
    assert np.load(tmp_path / "a" / "examples.npy").shape == (3, 2, 2, 1)
    plan = Plan.model_validate_json((tmp_path / "a" / "plan.json").read_text())
    assert (plan.texts, plan.images) == ((), Path("examples.npy"))


def test_a_graph_that_is_not_ours_brings_its_weights(tmp_path: Path) -> None:
    entry = make_entry(tmp_path / "tiny")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "model.onnx").write_bytes((entry.folder / "model.onnx").read_bytes())
    (entry.folder / "model.onnx").unlink()
    told = json.dumps({"path": str(theirs / "model.onnx"), "digest": "d"})
    (entry.folder / "graph.json").write_text(told)
    made = _made(tmp_path / "a", replace(entry, runtime="onnx_file"))
    (part,) = [one for one in made.parts if one.name == "candidate-0.zip"]
    with zipfile.ZipFile(part.path) as archive:
        assert "model.onnx" in archive.namelist()
        assert json.loads(archive.read("graph.json"))["path"] == "model.onnx"


def test_what_is_installed_there_is_pinned_to_what_is_here() -> None:
    plain = images.environment("c7i.xlarge", {"onnxruntime"})
    assert all(re.match(r"[a-z0-9-]+==\S+$", line) for line in plain.requirements)
    assert not any(line.startswith("torch") for line in plain.requirements)
    assert any(line.startswith("onnxruntime==") for line in plain.requirements)
    with_torch = images.environment("c7i.xlarge", {"onnxruntime", "pytorch"})
    assert any(re.match(r"torch==.*\+cpu$", line) for line in with_torch.requirements)
    gpu = images.environment("g4dn.xlarge", {"onnxruntime"})
    assert any(line.startswith("onnxruntime-gpu[cuda,cudnn]==") for line in gpu.requirements)
    assert not any(line.startswith("onnxruntime==") for line in gpu.requirements)
    assert "torch-neuronx" in images.environment("inf2.xlarge", {"neuron"}).requirements
    assert "torch-neuron==1.13.*" in images.environment("inf1.xlarge", {"neuron"}).requirements


def test_the_runner_is_of_the_images_own_python() -> None:
    source = Path(runner.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    assert not imported & {"distillery", "numpy", "boto3", "botocore"}


def test_user_data_that_ec2_would_refuse_is_refused_here() -> None:
    def script(long: str, short: str) -> str:
        return user_data.script(
            minutes=5,
            runner_url=long,
            runner_sha256="0" * 64,
            job_url=short,
            job_sha256="0" * 64,
            log_url=short,
        )

    # a session's token takes a kilobyte or two in each of three addresses
    real = f"https://bucket.s3.amazonaws.com/x?X-Amz-Security-Token={'t' * 2500}"
    assert script(real, real).splitlines()[1] == "shutdown -h +5"
    with pytest.raises(ValueError, match="EC2 takes at most 16384"):
        script(real * 6, real)
