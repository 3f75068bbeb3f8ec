"""The storage keeps content once, notices damage, and heals."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from distillery import storage
from distillery.errors import DamagedArtifactError, UserError
from distillery.nouns import Artifact


def _put(content: str = "weights", kind: str = "checkpoint") -> Artifact:
    with storage.new_folder() as folder:
        (folder / "model").write_text(content)
        (folder / "sub").mkdir()
        (folder / "sub" / "card").write_text("card")
        return storage.put(folder, kind)


def test_put_twice_is_one_artifact(storage_root: Path) -> None:
    first, second = _put(), _put()
    assert first == second
    assert first.size_bytes == len("weights") + len("card")
    assert len(list((storage_root / "artifacts" / "checkpoint").iterdir())) == 1
    assert (storage.fetch(first) / "model").read_text() == "weights"
    assert (storage.fetch(first) / "sub" / "card").read_text() == "card"


def test_other_content_or_kind_is_another_artifact(storage_root: Path) -> None:
    weights, others, candidate = _put(), _put("others"), _put(kind="candidate")
    assert weights.digest != others.digest
    assert weights.uri != others.uri
    assert candidate.digest == weights.digest
    assert candidate.uri.startswith("artifacts/candidate/")
    assert (storage.fetch(others) / "model").read_text() == "others"
    assert (storage.fetch(weights) / "model").read_text() == "weights"


def test_an_artifact_is_found_after_the_storage_moved(
    storage_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = _put()
    storage_root.rename(tmp_path / "moved")
    monkeypatch.setenv("DISTILLERY_STORAGE", str(tmp_path / "moved"))
    assert storage.fetch(artifact) == tmp_path / "moved" / artifact.uri


def _change(folder: Path) -> None:
    (folder / "model").write_text("weightz")


def _cut(folder: Path) -> None:
    (folder / "model").write_text("wei")


def _tear(folder: Path) -> None:
    (folder / "half").write_text("half")
    (folder / "whole").unlink()


def _remove(folder: Path) -> None:
    (folder / "sub" / "card").unlink()


def _add(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_text("evil")


@pytest.mark.parametrize("damage", [_change, _cut, _remove, _add])
@pytest.mark.usefixtures("storage_root")
def test_damage_is_noticed_and_healed(damage: Callable[[Path], None]) -> None:
    artifact = _put()
    damage(storage.fetch(artifact))
    assert not storage.is_intact(artifact)
    with pytest.raises(DamagedArtifactError, match=r"is damaged or missing; run again"):
        storage.fetch(artifact)

    assert _put() == artifact
    assert storage.is_intact(artifact)
    found = storage.fetch(artifact)
    assert (found / "model").read_text() == "weights"
    assert sorted(path.name for path in found.rglob("*")) == ["card", "model", "sub"]


@pytest.mark.usefixtures("storage_root")
def test_an_artifact_that_is_not_there() -> None:
    artifact = Artifact(uri="artifacts/checkpoint/none", digest="none", size_bytes=0)
    assert not storage.is_intact(artifact)
    with pytest.raises(DamagedArtifactError, match="artifacts/checkpoint/none"):
        storage.fetch(artifact)


def test_a_new_folder_is_gone_whether_taken_left_or_torn(storage_root: Path) -> None:
    _put()
    with storage.new_folder() as left:
        (left / "half").write_text("half")
    with pytest.raises(FileNotFoundError), storage.new_folder() as torn:
        _tear(torn)
    assert list((storage_root / "work").iterdir()) == []


@pytest.mark.usefixtures("storage_root")
def test_work_of_one_step_stays_until_it_is_removed() -> None:
    (storage.work("step-1") / "checkpoint-3").write_text("state")
    assert (storage.work("step-1") / "checkpoint-3").read_text() == "state"
    assert list(storage.work("step-2").iterdir()) == []


def test_without_the_variable_it_lies_beside_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISTILLERY_STORAGE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert storage.root() == tmp_path / ".distillery"
    assert not storage.root().exists()
    assert storage.ready() == tmp_path / ".distillery"
    assert storage.root().is_dir()


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DISTILLERY_STORAGE", "~/models")
    assert storage.root() == tmp_path / "models"


def test_a_file_in_the_way_of_the_root(storage_root: Path) -> None:
    storage_root.write_text("a file")
    with pytest.raises(UserError) as refused:
        storage.ready()
    assert str(refused.value) == (
        f"cannot write to the storage folder {storage_root}: File exists; "
        "set DISTILLERY_STORAGE to a folder you may write"
    )


def test_a_root_that_may_not_be_written(storage_root: Path) -> None:
    storage_root.mkdir(mode=0o500)
    if os.access(storage_root, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(UserError, match="Permission denied; set DISTILLERY_STORAGE to a folder"):
        storage.ready()


def test_content_is_hashed_once_and_again_when_a_file_changes(storage_root: Path) -> None:
    artifact = _put()
    model = storage.fetch(artifact) / "model"
    for path in (model, *model.parent.rglob("*"), model.parent):
        os.utime(path, (1, 1))
    assert storage.is_intact(artifact)
    model.write_text("weightz")
    os.utime(model, (1, 1))
    assert storage.is_intact(artifact), "not read again: neither size nor time has changed"
    os.utime(model, (2, 2))
    assert not storage.is_intact(artifact)
