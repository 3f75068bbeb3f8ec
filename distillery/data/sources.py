"""Where a data set comes from: a file, a folder, or the hub."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from distillery import storage
from distillery.data.asking_hub import ask_hub
from distillery.errors import UserError
from distillery.recipe import Data

if TYPE_CHECKING:
    import datasets

_FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json", ".json": "json"}


def load_source(data: Data) -> "Mapping[str, datasets.Dataset]":
    """Its splits by name. Raises ``UserError`` where it cannot be reached or read."""
    import datasets

    datasets.disable_progress_bars()
    # its loaders log what they raise; we say it once, in our own words
    datasets.utils.logging.set_verbosity(logging.CRITICAL)
    cache = str(storage.root() / "work" / "datasets")
    path = Path(data.source).expanduser()
    looks_local = data.source.startswith(("/", "./", "../", "~")) or path.suffix in _FORMATS
    try:
        if path.exists() or looks_local:
            kind, files = _local_files(path, data)
            # each on its own: together, a split with other columns only reads "Couldn't cast"
            return {split: _load_split(data, kind, split, files[split], cache) for split in files}
        ask_hub(data.source, "README.md", "dataset")
        return dict(datasets.load_dataset(data.source, data.config, cache_dir=cache))
    except UserError:
        raise
    except Exception as error:  # the loader raises whatever its parsers and transports raise
        reason = _innermost(error)
        if path.exists():
            raise UserError(
                f"data: cannot read '{data.source}': {reason}; is a file damaged, or in another "
                "format than its name says?"
            ) from error
        raise UserError(
            f"data: cannot reach data set '{data.source}': {reason}; check the name and the "
            "network, or give a local folder: --set data.source=/path/to/folder"
        ) from error


def _load_split(
    data: Data, kind: str, split: str, files: Sequence[str], cache: str
) -> "datasets.Dataset":
    import datasets

    full = _with_rows(files) if kind == "parquet" else files
    if not full:
        raise _without_rows(data, split)
    try:
        return datasets.load_dataset(
            kind,
            data_files={split: full},
            split=split,
            cache_dir=cache,
            # 'NA' and 'None' are words and labels, not missing values
            **({"keep_default_na": False} if kind == "csv" else {}),
        )
    except ValueError as error:
        if "corresponds to no data" not in str(error):
            raise
        # the loader has no other word for files without rows
        raise _without_rows(data, split) from error


def _without_rows(data: Data, split: str) -> UserError:
    return UserError(f"data: split '{split}' of '{data.source}' is empty; it needs rows")


def _with_rows(files: Sequence[str]) -> list[str]:
    """All Parquet files but those without rows, whose row groups the loader cannot divide."""
    import pyarrow
    import pyarrow.parquet

    full = []
    for file in files:
        with suppress(pyarrow.ArrowInvalid):  # the loader says what is wrong with it
            if pyarrow.parquet.read_metadata(file).num_rows == 0:
                continue
        full.append(file)
    return full


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:160].rstrip(".") if lines else type(error).__name__


def _local_files(path: Path, data: Data) -> tuple[str, dict[str, list[str]]]:
    """The loader's name, and the files of each split.

    A single file is the training split. In a folder, a file belongs to the split its name starts
    with (``train.parquet``, ``test-00000-of-00002.parquet``).
    """
    if not path.exists():
        raise UserError(f"data: there is no file or folder '{data.source}'; check data.source")
    if path.is_file():
        kind = _FORMATS.get(path.suffix)
        if kind is None:
            raise UserError(
                f"data: '{path.name}' is of no known format; give one of {', '.join(_FORMATS)}"
            )
        _refuse_empty(path)
        return kind, {data.train_split: [str(path)]}
    wanted = (data.train_split, data.validation_split, data.test_split)
    files = sorted(file for file in path.rglob("*") if file.suffix in _FORMATS)
    found: dict[str, list[str]] = {}
    kinds: set[str] = set()
    for split in wanted:
        for file in files:
            stem = file.name[len(split) :]
            if file.name.startswith(split) and not stem[:1].isalpha():
                _refuse_empty(file)
                found.setdefault(split, []).append(str(file))
                kinds.add(_FORMATS[file.suffix])
    if data.train_split not in found:
        raise UserError(
            f"data: the folder '{data.source}' holds no file {data.train_split}.parquet, .csv or "
            f".jsonl; it holds {', '.join(file.name for file in files[:4]) or 'none of them'}"
        )
    if len(kinds) > 1:
        raise UserError(
            f"data: the folder '{data.source}' mixes {' and '.join(sorted(kinds))} files; "
            "keep one format"
        )
    return kinds.pop(), found


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise UserError(f"data: the file {path} is empty; fetch it again or remove it")
