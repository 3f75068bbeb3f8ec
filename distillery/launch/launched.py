"""One of several processes that train together.

``torchrun ... -m distillery.launch.launched FOLDER``.
"""

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil

from distillery.errors import UserError
from distillery.launch.launching import JOB, RESULT, SAID, STARTED_BY, TRAINING
from distillery.nouns import Epoch

_WATCH_SECONDS = 0.5


def main(folder: Path) -> None:
    """Carry out the job in ``folder``; the first process writes its result there."""
    threading.Thread(target=_end_with_launcher, args=[os.getppid()], daemon=True).start()
    try:
        _train(folder)
    except UserError as error:
        _say(folder, {"wrong": str(error)})
        raise SystemExit(2) from None
    except Exception as error:
        _say(folder, {"wrong": f"{type(error).__name__}: {error}".splitlines()[0]})
        raise


def _train(folder: Path) -> None:
    import torch

    from distillery.launch import processes
    from distillery.launch.jobs import AnyJob

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if on_gpu else "gloo")

    def on_epoch(epoch: Epoch) -> None:
        if processes.is_first():
            _say(folder, {"epoch": epoch.model_dump(mode="json")})

    if processes.is_first():
        logging.getLogger("distillery").addHandler(_Told(folder))
        logging.getLogger("distillery").setLevel(logging.INFO)
    job = AnyJob.validate_json((folder / JOB).read_text(encoding="utf-8"))
    checkpoint = job.run(work=folder.parent / TRAINING, on_epoch=on_epoch)
    if processes.is_first():
        half = folder / f"{RESULT}.half"
        half.write_text(checkpoint.model_dump_json(), encoding="utf-8")
        half.replace(folder / RESULT)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


class _Told(logging.Handler):
    """Logs go to the launching process, which has the user's ear."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def emit(self, record: logging.LogRecord) -> None:
        """One line each."""
        line = {"log": record.getMessage(), "logger": record.name, "level": record.levelno}
        _say(self._folder, line)


def _say(folder: Path, what: dict[str, object]) -> None:
    with (folder / SAID).open("a", encoding="utf-8") as said:
        said.write(json.dumps(what) + "\n")


def _end_with_launcher(agent: int) -> None:
    """Nobody is left behind by a launcher or a ``torchrun`` that was killed outright.

    ``torchrun`` gives each process a session of its own and outlives whoever started it.
    """
    started_by = int(os.environ[STARTED_BY])
    while True:
        with contextlib.suppress(psutil.NoSuchProcess):
            if os.getppid() == agent and psutil.Process(agent).ppid() == started_by:
                time.sleep(_WATCH_SECONDS)
                continue
        if os.getppid() == agent:
            os.kill(agent, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # all is written: leaving by way of the interpreter's end, a thread of the communication library
    # now and then aborts a process whose training is done, and torchrun calls the training failed
    os._exit(0)
