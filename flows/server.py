"""The Prefect server that the settings name, or else a temporary one for this run alone."""

import atexit
import contextlib
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from distillery.errors import UserError

log = logging.getLogger(__name__)

_REACH_SECONDS = 10
_READY_SECONDS = 90
# in the temporary server's environment, so that a later run knows an orphan when it sees one
_MARK = "DISTILLERY_TEMPORARY_SERVER"


class TemporaryServer:
    """``prefect server start`` without a page and without schedules, on loopback, until we exit.

    Prefect starts one by itself where it is needed. Ours is up sooner: it starts while this
    process is still importing, which Prefect's own needs a second and a half to begin with.
    """

    def __init__(self) -> None:
        _end_orphans()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}/api"
        self._log = tempfile.NamedTemporaryFile(prefix="prefect-", suffix=".log")  # noqa: SIM115
        options = f"--host 127.0.0.1 --port {port} --no-ui --no-scheduler --no-late-runs"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", *options.split()],
            env={**os.environ, "PREFECT_SERVER_ANALYTICS_ENABLED": "false", _MARK: "1"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            # Ctrl-C is for the run, which has yet to tell the server how it ended
            start_new_session=True,
        )
        # handlers run backwards: Prefect sends its last logs and events first
        atexit.register(self._end)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Flows run on it in here. Raises ``UserError`` where it does not start."""
        from prefect.settings import PREFECT_API_URL, temporary_settings

        until = time.monotonic() + _READY_SECONDS
        while not _answers(self._address):
            if self._process.poll() is not None or time.monotonic() > until:
                raise UserError(
                    f"Prefect's temporary server did not start: {self._last_words()}; mend that, "
                    "or start a server of your own and set PREFECT_API_URL"
                )
            time.sleep(0.05)
        # the page it would name is switched off
        logging.getLogger("prefect.flow_runs").addFilter(
            lambda record: not record.getMessage().startswith("View at ")
        )
        with temporary_settings({PREFECT_API_URL: self._address}):
            yield

    def _last_words(self) -> str:
        lines = Path(self._log.name).read_text(encoding="utf-8", errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1][:200] if said else "it said nothing"

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class NamedServer:
    """The one that PREFECT_API_URL names."""

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Flows run on it in here, as the settings say anyway."""
        yield


def server_at_hand() -> NamedServer | TemporaryServer:
    """A named server that answers, or a temporary one, starting.

    Raises ``UserError`` within seconds where the named one does not answer.
    """
    return named_server() or TemporaryServer()


def named_server() -> NamedServer | None:
    """The one that the settings name, if they do.

    Raises ``UserError`` within seconds where it does not answer.
    """
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if url is None:
        return None
    try:
        urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=_REACH_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError:
        return NamedServer()  # it answers
    except (OSError, ValueError) as error:
        raise UserError(
            f"the Prefect server {url} does not answer ({getattr(error, 'reason', error)}); start "
            "it, or unset PREFECT_API_URL to use a temporary one"
        ) from error
    return NamedServer()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health", timeout=1).close()  # noqa: S310
    except OSError:
        return False
    return True


def _end_orphans() -> None:
    """A killed run cannot end its temporary server; whoever comes next does."""
    for process in psutil.process_iter(["ppid", "cmdline"]):
        if process.info["ppid"] != 1 or "prefect" not in (process.info["cmdline"] or ()):
            continue
        with contextlib.suppress(psutil.Error):
            if process.environ().get(_MARK) == "1":
                log.info("ending the temporary server that a killed run left behind")
                process.terminate()
