"""The Prefect server that the settings name, or else a temporary one."""

import contextlib
import logging
import threading
import urllib.error
import urllib.request

import psutil

from distillery.errors import UserError

log = logging.getLogger(__name__)

_REACH_SECONDS = 10


def reach_server() -> None:
    """Ask whether it lives; without one, Prefect starts a temporary server of its own.

    Raises ``UserError`` within seconds where it does not answer.
    """
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if url is None:
        return
    try:
        urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=_REACH_SECONDS).close()  # noqa: S310
    except urllib.error.HTTPError:
        return  # it answers
    except (OSError, ValueError) as error:
        raise UserError(
            f"the Prefect server {url} does not answer ({getattr(error, 'reason', error)}); start "
            "it, or unset PREFECT_API_URL to use a temporary one"
        ) from error


def begin_temporary_server() -> threading.Thread:
    """Start Prefect's temporary server, if one will be needed, while others go on importing.

    Join the thread before the first flow: Prefect then finds its server running. Where it did
    not start, Prefect tries again and says why.
    """
    from prefect.server.api.server import SubprocessASGIServer
    from prefect.settings import PREFECT_API_URL

    # it begins before the recipe is checked: what is wrong there must stay one clear line
    logging.getLogger("prefect").addFilter(
        lambda record: "temporary server" not in record.getMessage()
    )

    def start() -> None:
        if PREFECT_API_URL.value() is None:
            _end_orphans()
            with contextlib.suppress(RuntimeError, OSError):
                SubprocessASGIServer().start()

    thread = threading.Thread(target=start, name="temporary-prefect-server", daemon=True)
    thread.start()
    return thread


def _end_orphans() -> None:
    """A killed run cannot end its temporary server; whoever comes next does."""
    for process in psutil.process_iter(["ppid", "cmdline"]):
        if process.info["ppid"] != 1 or "prefect.server.api.server:create_app" not in (
            process.info["cmdline"] or ()
        ):
            continue
        with contextlib.suppress(psutil.Error):
            if process.environ().get("PREFECT__SERVER_EPHEMERAL") == "1":
                log.info("ending the temporary server that a killed run left behind")
                process.terminate()
