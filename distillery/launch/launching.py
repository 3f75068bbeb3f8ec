"""A training carried out by this process, or by several that ``torchrun`` starts.

The launched ones read the job from a folder and answer there: what they say line by line, and the
checkpoint at the end. Nothing else passes between them and us, so that they may run on any machine
that shares the storage.
"""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from distillery import storage
from distillery.errors import UserError
from distillery.launch.jobs import Job, OnEpoch
from distillery.noun import Noun
from distillery.nouns import Checkpoint, Epoch
from distillery.recipe import Launcher

log = logging.getLogger(__name__)

RENDEZVOUS = "DISTILLERY_RENDEZVOUS"
STARTED_BY = "DISTILLERY_STARTED_BY"
"""In the launched processes' environment: the process whose end is theirs."""
JOB, SAID, RESULT, TRAINING = "job.json", "said.jsonl", "result.json", "training"

_POLL_SECONDS = 0.2
_END_SECONDS = 20


class Call(Noun):
    """What the head tells the other machines, in the storage's ``launch.json``."""

    id: str
    folder: str  # relative to the storage root, which may be mounted elsewhere
    processes: int
    nodes: int
    endpoint: str | None  # host:port where the machines meet; None for a single one


def carry_out(job: Job, launcher: Launcher, *, work: Path, on_epoch: OnEpoch) -> Checkpoint:
    """The trained checkpoint; ``work`` is kept for another try only where this one fails.

    Raises ``UserError`` where a launched process fails.
    """
    if launcher.total == 1:
        checkpoint = job.run(work=work / TRAINING, on_epoch=on_epoch)
    else:
        checkpoint = _launched(job, launcher, work / "launch", on_epoch)
    shutil.rmtree(work, ignore_errors=True)
    return checkpoint


def rendezvous() -> str:
    """Where several machines meet. Raises ``UserError`` where none is named."""
    endpoint = os.environ.get(RENDEZVOUS, "")
    if not re.fullmatch(r"[^\s/]+:\d{1,5}", endpoint):
        raise UserError(
            f"launcher.nodes is more than 1, and {RENDEZVOUS} "
            f"{f'({endpoint}) ' if endpoint else ''}names no host:port; set it to an address of "
            "this machine that the others reach, such as 10.0.0.1:29400"
        )
    return endpoint


def join() -> None:
    """Take part in every training that a head on this storage calls for, until interrupted."""
    joined = ""
    while True:
        call = _call()
        if call is None or call.id == joined:
            time.sleep(_POLL_SECONDS)
            continue
        log.info("joining the training in %s", call.folder)
        with _agent(call, None) as agent:
            unwanted_seconds = 0.0
            while agent.poll() is None and unwanted_seconds < _END_SECONDS:
                now = _call()
                unwanted = now is None or now.id != call.id
                unwanted_seconds = unwanted_seconds + _POLL_SECONDS if unwanted else 0.0
                time.sleep(_POLL_SECONDS)
        if agent.returncode == 0:
            joined = call.id
        else:
            time.sleep(
                5 * _POLL_SECONDS
            )  # the head may not be up yet; it ends its call if it fails


def _launched(job: Job, launcher: Launcher, folder: Path, on_epoch: OnEpoch) -> Checkpoint:
    finished = _finished(job, folder)
    if finished is not None:
        return finished
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / JOB).write_text(job.model_dump_json(), encoding="utf-8")
    (folder / SAID).touch()
    call = Call(
        id=uuid.uuid4().hex,
        folder=str(folder.relative_to(storage.root())),
        processes=launcher.processes,
        nodes=launcher.nodes,
        endpoint=rendezvous() if launcher.nodes > 1 else None,
    )
    wrong = ""
    with (
        _announced(call),
        (folder / "log").open("wb") as output,
        (folder / SAID).open(encoding="utf-8") as said,
        _agent(call, output) as agent,
    ):
        while True:
            ended = agent.poll() is not None
            wrong = _passed_on(said, on_epoch) or wrong
            if ended:
                break
            time.sleep(_POLL_SECONDS)
    if agent.returncode or not (folder / RESULT).exists():
        wrong = wrong or "one of them was ended from outside"
        raise UserError(
            f"training in {launcher.total} processes failed: {wrong} (all they said is in "
            f"{folder / 'log'})"
        )
    return Checkpoint.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))


def _finished(job: Job, folder: Path) -> Checkpoint | None:
    """What an earlier launcher's processes finished as it was killed: its work folder is gone."""
    try:
        if (folder / JOB).read_text(encoding="utf-8") != job.model_dump_json():
            return None
        found = Checkpoint.model_validate_json((folder / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found if storage.is_intact(found.artifact) else None


def _passed_on(said: IO[str], on_epoch: OnEpoch) -> str:
    """Logs and epochs to where this process' own would go. Returns what went wrong, if it did."""
    wrong = ""
    while True:
        start = said.tell()
        line = said.readline()
        if not line.endswith("\n"):  # not written to its end yet
            said.seek(start)
            return wrong
        match json.loads(line):
            case {"epoch": epoch}:
                on_epoch(Epoch.model_validate(epoch))
            case {"log": message, "logger": name, "level": level}:
                logging.getLogger(name).log(level, "%s", message)
            case {"wrong": first} if not wrong:
                wrong = first


@contextmanager
def _agent(call: Call, output: IO[bytes] | None) -> Iterator["subprocess.Popen[bytes]"]:
    """``torchrun``, which starts this machine's processes. It ends with the block, or with us."""
    meeting = (
        ["--standalone", "--local-addr=127.0.0.1"]
        if call.endpoint is None
        else [
            f"--nnodes={call.nodes}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={call.endpoint}",
            f"--rdzv-id={call.id}",
        ]
    )
    threads = max(1, (os.cpu_count() or 1) // call.processes)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run"),
            *(f"--nproc-per-node={call.processes}", *meeting),
            *("-m", "distillery.launch.launched", str(storage.root() / call.folder)),
        ],
        # a library that was told how many threads to use was told for each process
        env={"OMP_NUM_THREADS": str(threads), **os.environ, STARTED_BY: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=output or sys.stderr,
        stderr=subprocess.STDOUT if output else None,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()  # it ends its processes in turn
            try:
                process.wait(timeout=_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _announced(call: Call) -> Iterator[None]:
    """The other machines are called, as long as this one waits for them."""
    if call.nodes == 1:
        yield
        return
    place = storage.root() / "launch.json"
    aside = place.with_suffix(f".{call.id}")
    aside.write_text(call.model_dump_json(), encoding="utf-8")
    aside.replace(place)
    log.info(
        "waiting for %d more: run `distillery join` on each, with the same storage", call.nodes - 1
    )
    try:
        yield
    finally:
        place.unlink(missing_ok=True)


def _call() -> Call | None:
    try:
        text = (storage.root() / "launch.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return Call.model_validate_json(text)
