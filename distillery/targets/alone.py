"""One measuring at a time on a machine, whoever it is for: two would time each other."""

import tempfile
from pathlib import Path

from distillery.file_lock import FileLock

# the machine's, whatever storage and servers a run has
_LOCK = Path(tempfile.gettempdir()) / "distillery-measuring.lock"


def machine_to_oneself(lock: Path = _LOCK) -> FileLock:
    """Wait until nobody else measures here."""
    return FileLock(lock, "waiting until another benchmark on this machine has ended")
