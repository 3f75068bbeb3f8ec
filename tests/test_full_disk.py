"""A full disk is told from a defect, however deep a library buries it."""

import errno
import sqlite3

import pytest

from distillery import full_disk
from distillery.errors import UserError


def _buried(error: Exception) -> Exception:
    try:
        try:
            raise error
        except Exception as inner:
            raise RuntimeError("could not save") from inner
    except RuntimeError as outer:
        return outer


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        sqlite3.OperationalError("database or disk is full"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
    ],
    ids=["space", "quota", "SQLite", "safetensors", "torch"],
)
def test_a_full_disk_is_one_line_with_the_mend(error: Exception) -> None:
    line = r"^no space is left for [^\n]*run the same again"
    with pytest.raises(UserError, match=line), full_disk.told():
        raise _buried(error)


def test_a_defect_stays_one() -> None:
    defect = _buried(OSError(errno.EIO, "Input/output error"))
    assert not full_disk.caused(defect)
    with pytest.raises(RuntimeError, match="could not save"), full_disk.told():
        raise defect
