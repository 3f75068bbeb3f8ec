"""Which code and which process made something."""

import os
import socket
import subprocess
from pathlib import Path

import psutil

from distillery import __version__


def code_version() -> str:
    """The release, and the commit where it runs from a checkout: ``0.3.0+g1a2b3c4.dirty``."""
    source = Path(__file__).parent.parent
    if not (source / ".git").exists():
        return __version__
    try:
        commit = _git(source, "rev-parse", "--short=12", "HEAD")
        dirty = ".dirty" if _git(source, "status", "--porcelain", "--untracked-files=no") else ""
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__}+g{commit}{dirty}"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, timeout=10
    ).stdout.strip()


def this_process() -> str:
    """Host, process id and start time: enough to tell later whether it still lives."""
    process = psutil.Process()
    return f"{socket.gethostname()}:{os.getpid()}:{int(process.create_time())}"


def is_dead(owner: str) -> bool:
    """Whether a process named by ``this_process`` ran on this host and is gone."""
    if owner.rsplit(":", 2)[0] != socket.gethostname():
        return False  # another host's: nobody here can tell
    return living(owner) is None


def living(owner: str) -> psutil.Process | None:
    """The process that ``this_process`` named so, where it still runs on this host."""
    host, pid, started = owner.rsplit(":", 2)
    try:
        process = psutil.Process(int(pid))
        is_it = host == socket.gethostname() and int(process.create_time()) == int(started)
        # a dead one keeps its id until its parent looks
        return process if is_it and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
