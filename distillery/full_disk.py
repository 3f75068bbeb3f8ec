"""A full disk, which a user can mend, told from a defect."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from distillery import storage
from distillery.errors import UserError

_ERRORS = {errno.ENOSPC, errno.EDQUOT}
# where the system's number is lost on the way: safetensors, SQLite, torch
_WORDS = (
    "no space left on device",
    "disk quota exceeded",
    "database or disk is full",
    "pytorchstreamwriter failed writing file",
    "basic_ios::clear: iostream error",
)


@contextmanager
def told() -> Iterator[None]:
    """Raises ``UserError`` for whatever a disk without room makes libraries raise."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not caused(error):
            raise
        raise UserError(
            f"no space is left for {storage.root()}: make room, for instance with `distillery "
            "retain --apply`, or set DISTILLERY_STORAGE to a folder on another disk and copy it "
            "there; then run the same again: finished steps are kept"
        ) from error


def caused(error: BaseException | None) -> bool:
    """Whether a disk without room is behind this, however deep."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _ERRORS:
            return True
        if any(words in str(error).lower() for words in _WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
