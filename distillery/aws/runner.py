"""What an instance runs: ``python3 runner.py job.json``, in the folder that it works in.

Sent as it is, and run by the image's own Python: standard library only, and Python 3.9's syntax.
It fetches what the job names and verifies it, makes an environment, benchmarks, and puts the
results where the job says, with their sizes and SHA-256. All it knows of AWS are addresses that
were signed for it. The last thing it puts is ``done.json``: with it, the results are whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.request
import zipfile
from typing import Any

_LOG = "log.txt"
_TRIES = 5
_BEAT_SECONDS = 30
_CHUNK_BYTES = 1 << 20
_LAST_WORDS_LINES = 12


class Heartbeat:
    """What it is doing, put where the job says.

    No thread of its own: while the benchmark runs, a beat goes out only when it has said
    something, which it never does within a timed part.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._last = 0.0

    def __call__(self, doing: str, at_least_every: float = 0) -> None:
        now = time.time()
        if now - self._last < at_least_every:
            return
        self._last = now
        try:
            put(self._url, json.dumps({"doing": doing, "at": now}).encode(), tries=1)
        except OSError as error:  # the next one may get through, and none is needed
            say(f"no heartbeat: {error}")


def say(line: str) -> None:
    sys.stdout.write(f"runner: {line}\n")
    sys.stdout.flush()


def fetch(url: str, path: str) -> None:
    """Try again where the network fails."""
    for wait in retries(_TRIES):
        try:
            with open_url(url) as answer, open(path, "wb") as file:
                while True:
                    chunk = answer.read(_CHUNK_BYTES)
                    if not chunk:
                        return
                    file.write(chunk)
        except OSError as error:
            give_up_or_wait(wait, error)


def put(url: str, data: bytes, tries: int = _TRIES) -> None:
    """With its length, and as bytes: as a form, S3 would keep an empty object."""
    for wait in retries(tries):
        request = urllib.request.Request(url, data=data, method="PUT")  # noqa: S310
        request.add_header("Content-Type", "application/octet-stream")
        try:
            with open_url(request):
                return
        except OSError as error:
            give_up_or_wait(wait, error)


def open_url(what: str | urllib.request.Request) -> Any:
    """Addresses come from the job alone, which was verified."""
    return urllib.request.urlopen(what, timeout=60)  # noqa: S310


def retries(tries: int) -> list[float | None]:
    """Seconds to wait after each try; None after the last one."""
    return [2.0**i for i in range(tries - 1)] + [None]


def give_up_or_wait(seconds: float | None, error: OSError) -> None:
    if seconds is None:
        raise error
    say(f"{error}; trying again")
    time.sleep(seconds)


def sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


def fetch_all(job: dict[str, Any]) -> None:
    """Every file of the job, whole; zips are unpacked into the folder that bears their name."""
    for file in job["files"]:
        name = file["name"]
        fetch(file["url"], name)
        found = (os.path.getsize(name), sha256(name))
        if found != (file["size_bytes"], file["sha256"]):
            size_bytes, digest = found
            raise SystemExit(
                f"{name} is not what was sent: {size_bytes} bytes, SHA-256 {digest}; sent were "
                f"{file['size_bytes']} bytes, SHA-256 {file['sha256']}"
            )
        if name.endswith(".zip"):
            with zipfile.ZipFile(name) as archive:
                archive.extractall(name[: -len(".zip")])
            os.remove(name)


def run(command: list[str], heartbeat: Heartbeat, environment: dict[str, str]) -> None:
    """Pass on what it says. Raises where it fails, with its last words."""
    say(" ".join(command))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        encoding="utf-8",
        errors="replace",
    )
    last_words: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:  # blocked in a read, like the benchmark's own parent
        sys.stdout.write(line)
        sys.stdout.flush()
        last_words = [*last_words, line.strip()][-_LAST_WORDS_LINES:]
        heartbeat(line.strip(), at_least_every=_BEAT_SECONDS)
    if process.wait() != 0:
        raise SystemExit(
            f"'{' '.join(command)}' ended with status {process.returncode}: "
            + " | ".join(last_words)
        )


def work(job: dict[str, Any]) -> None:
    """Raises ``SystemExit`` with one line for whatever stops it."""
    heartbeat = Heartbeat(job["heartbeat"])
    heartbeat("fetching")
    fetch_all(job)
    heartbeat("installing")
    for command in job["setup"]:
        run(command, heartbeat, dict(os.environ))
    heartbeat("benchmarking")
    environment = dict(os.environ, PYTHONPATH=os.path.abspath("code"))
    run(job["benchmark"], heartbeat, environment)


def main(job_file: str) -> int:
    """0, or 1 where there are no results; ``done.json`` says which, and why."""
    with open(job_file, encoding="utf-8") as file:
        job = json.load(file)
    done: dict[str, Any] = {"error": None, "files": {}}
    try:
        work(job)
        for name, url in job["results"].items():
            with open(name, "rb") as file:
                data = file.read()
            put(url, data)
            done["files"][name] = {
                "size_bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
    except (Exception, SystemExit) as error:
        done["error"] = str(error) or type(error).__name__
        say(done["error"])
    # before the end is told, for the instance may be terminated right after; the trap puts the rest
    if os.path.exists(_LOG):
        with open(_LOG, "rb") as file:
            put(job["log"], file.read())
    put(job["done"], json.dumps(done).encode())
    return 0 if done["error"] is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
