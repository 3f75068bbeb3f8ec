"""Two machines over one S3 store: what one finished, the other has, whole or not at all."""

import json
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from stores import Store

from distillery import storage
from distillery.errors import DamagedArtifactError, UserError
from distillery.nouns import Artifact

Machine = Callable[[str], Path]


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with Store().running() as store:
        yield store


@pytest.fixture
def store(server: Store) -> Store:
    server.renew()
    return server


@pytest.fixture
def machine(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Which machine this process is: each has a folder of its own in front of the store."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "4")

    def become(name: str) -> Path:
        folder = tmp_path / name
        monkeypatch.setenv("DISTILLERY_CACHE", str(folder))
        return folder

    become("first")
    return become


def _put(content: str = "weights") -> Artifact:
    with storage.new_folder() as folder:
        (folder / "model").write_text(content)
        (folder / "sub").mkdir()
        (folder / "sub" / "card").write_text("card")
        return storage.put(folder, "checkpoint")


def test_what_one_machine_put_the_other_has(machine: Machine) -> None:
    artifact = _put()
    second = machine("second")
    assert storage.is_intact(artifact)
    assert not (second / "artifacts").exists(), "looked at, not yet fetched"
    found = storage.fetch(artifact)
    assert found == second / artifact.uri
    assert (found / "model").read_text() == "weights"
    assert (found / "sub" / "card").read_text() == "card"
    assert _put() == artifact


def test_the_marker_is_the_last_to_be_written(machine: Machine, store: Store) -> None:
    store.fails = lambda method, path: 403 if method == "PUT" and path.endswith(".json") else None
    with pytest.raises(UserError, match=r"may not use s3://distillery \(AccessDenied\)"):
        _put()
    artifact = Artifact(uri=_uri(store), digest="", size_bytes=0)
    assert any(key.endswith("/sub/card") for key in store.objects()), "torn: its files are there"
    machine("second")
    assert not storage.is_intact(artifact)

    store.fails = lambda method, path: None
    machine("first")
    whole = _put()
    machine("second")
    assert (storage.fetch(whole) / "model").read_text() == "weights"


def _uri(store: Store) -> str:
    (key,) = (key for key in store.objects() if key.endswith("/model"))
    return key.removesuffix("/model")


def test_a_damaged_object_is_noticed_and_made_again(machine: Machine, store: Store) -> None:
    artifact = _put()
    store.write(f"{artifact.uri}/model", b"weightz")
    second = machine("second")
    with pytest.raises(DamagedArtifactError, match="run again to make it anew"):
        storage.fetch(artifact)
    assert not storage.is_intact(artifact), "whoever asks next makes it again"
    assert list((second / "work").iterdir()) == []
    assert _put() == artifact
    machine("third")
    assert (storage.fetch(artifact) / "model").read_text() == "weights"


def test_a_lost_object_is_noticed_too(machine: Machine, store: Store) -> None:
    artifact = _put()
    store.remove(f"{artifact.uri}/sub/card")
    machine("second")
    with pytest.raises(DamagedArtifactError):
        storage.fetch(artifact)
    assert not storage.is_intact(artifact)


def test_damage_on_this_machine_is_healed_from_the_store(machine: Machine) -> None:
    artifact = _put()
    (storage.fetch(artifact) / "model").write_text("weightz")
    assert (storage.fetch(artifact) / "model").read_text() == "weights"


def test_a_marker_cannot_write_elsewhere(machine: Machine, store: Store) -> None:
    artifact = _put()
    marker = {"digest": artifact.digest, "files": ["../../../escaped"]}
    store.write(f"{artifact.uri}.json", json.dumps(marker).encode())
    second = machine("second")
    with pytest.raises(DamagedArtifactError):
        storage.fetch(artifact)
    assert not list(second.parent.rglob("escaped"))


def test_what_was_made_before_the_store_is_offered_to_it(
    machine: Machine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = machine("first")
    monkeypatch.setenv("DISTILLERY_STORAGE", str(first))
    artifact = _put()
    assert store.objects() == []
    monkeypatch.setenv("DISTILLERY_STORAGE", store.environment["DISTILLERY_STORAGE"])
    storage.share(artifact)
    machine("second")
    assert (storage.fetch(artifact) / "model").read_text() == "weights"


def test_a_result_is_shared_and_dropped_everywhere(machine: Machine) -> None:
    first = machine("first")
    (first / "results").mkdir(parents=True)
    (first / "results" / "step-1").write_text("noun")
    storage.share_result("step-1")
    second = machine("second")
    assert storage.result("step-1") == second / "results" / "step-1"
    assert (second / "results" / "step-1").read_text() == "noun"
    assert [path.name for path in (second / "results").iterdir()] == ["step-1"]
    storage.drop_result("step-1")
    machine("third")
    assert storage.result("step-1") is None


def test_a_report_is_shared(machine: Machine, store: Store) -> None:
    folder = machine("first") / "reports" / "run-1"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>")
    assert storage.share_report(folder) == f"s3://distillery/{store.prefix}/reports/run-1"
    assert "reports/run-1/report.html" in store.objects()


def test_a_store_that_answers_500_for_a_while_is_asked_again(
    machine: Machine, store: Store
) -> None:
    asked = count()
    store.fails = lambda method, path: 500 if next(asked) < 3 else None
    artifact = _put()
    machine("second")
    asked = count()
    assert (storage.fetch(artifact) / "model").read_text() == "weights"


def test_a_store_that_goes_on_failing_is_said_in_one_line(
    machine: Machine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    store.fails = lambda method, path: 500
    with pytest.raises(UserError) as refused:
        _put()
    assert "s3://distillery" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_bucket_that_is_not_there(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", "s3://nowhere/team")
    with pytest.raises(UserError) as refused:
        storage.ready()
    assert str(refused.value) == (
        "there is no bucket 'nowhere'; make it, or name another one in DISTILLERY_STORAGE"
    )


def test_keys_that_may_not(machine: Machine, store: Store) -> None:
    store.fails = lambda method, path: 403
    with pytest.raises(UserError, match="these AWS credentials may not use s3://distillery"):
        storage.ready()


def test_no_keys_at_all(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UserError, match="there are no AWS credentials for s3://distillery; set"):
        storage.ready()


def test_a_store_that_does_not_answer(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(UserError, match=f"does not answer at http://127.0.0.1:{port}; start it"):
        storage.ready()


@pytest.mark.parametrize("uri", ["s3://", "s3:///prefix"])
def test_an_address_without_a_bucket(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILLERY_STORAGE", uri)
    with pytest.raises(UserError, match="names no bucket; give s3://BUCKET/PREFIX"):
        storage.ready()
