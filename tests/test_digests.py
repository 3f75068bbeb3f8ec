"""Digests find content, and nothing else."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from distillery import digests


def test_known_vectors(tmp_path: Path) -> None:
    # FIPS 180-2, appendix B.1 and B.3
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digests.of_bytes(b"abc") == abc
    assert digests.of_json("abc") == digests.of_bytes(b'"abc"')
    million = tmp_path / "million"
    million.write_bytes(b"a" * 1_000_000)
    assert digests.of_file(million) == (
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    )


def test_a_file_longer_than_one_read(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8193  # one block more than 2 MiB
    (tmp_path / "long").write_bytes(content)
    assert digests.of_file(tmp_path / "long") == digests.of_bytes(content)


def test_json_is_canonical() -> None:
    assert digests.of_json({"a": 1, "b": [2, 3]}) == digests.of_json({"b": [2, 3], "a": 1})
    assert digests.of_json([2, 3]) != digests.of_json([3, 2])
    assert digests.of_json(1) != digests.of_json("1")


def _folder(at: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(content)
    return at


def test_a_folder_is_its_files_wherever_it_lies(tmp_path: Path) -> None:
    files = {"a": "1", "sub/b": "2"}
    first = _folder(tmp_path / "first", files)
    second = _folder(tmp_path / "elsewhere" / "second", dict(reversed(files.items())))
    assert digests.of_folder(first) == digests.of_folder(second)


def test_a_folder_differs_in_name_place_and_content(tmp_path: Path) -> None:
    variants = [
        {"a": "1", "sub/b": "2"},
        {"a": "1", "sub/b": "3"},  # content
        {"a": "2", "sub/b": "1"},  # the same contents, exchanged
        {"a": "1", "sub/c": "2"},  # name
        {"a": "1", "b": "2"},  # place
        {"a": "1"},
        {"a": "1", "sub/b": "2", "c": ""},
    ]
    found = {
        digests.of_folder(_folder(tmp_path / str(i), files)) for i, files in enumerate(variants)
    }
    assert len(found) == len(variants)


_TEXTS = st.lists(st.text(max_size=4), max_size=4)


@given(_TEXTS, _TEXTS)
def test_texts_are_joined_unambiguously(one: list[str], other: list[str]) -> None:
    assert (digests.of_texts(one) == digests.of_texts(other)) == (one == other)


def test_texts_that_a_plain_join_would_confuse() -> None:
    rows = [("a", "b"), ("ab",), ("b", "a"), ("a", "b", ""), ("", "ab"), ("é",), ("e\u0301",)]
    keys = {digests.of_texts(row) for row in rows}
    assert len(keys) == len(rows)
    assert {len(key) for key in keys} == {16}
