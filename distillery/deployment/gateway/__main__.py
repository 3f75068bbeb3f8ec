"""``python -m distillery.deployment.gateway FOLDER --port PORT``: serve what the folder says.

FOLDER holds the state: ``current.json`` names what is served and is gone on with. Told to end
(SIGTERM), it answers what it was asked before it goes.
"""

import argparse
import asyncio
import errno
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

import prometheus_client
import uvicorn

from distillery import provenance
from distillery.deployment.gateway import release as state
from distillery.deployment.gateway.application import Address
from distillery.deployment.gateway.conversation import converse
from distillery.deployment.gateway.release import Running
from distillery.deployment.gateway.switching import Switch

_GRACE_SECONDS = 60
_BACKLOG = 2048


def main() -> int:
    """0 when told to end, 2 where the port cannot be had."""
    parser = argparse.ArgumentParser(prog="distillery.deployment.gateway", description=__doc__)
    parser.add_argument("folder", type=Path, help="state")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    try:
        listener = _listen(options.host, options.port)
    except OSError as error:
        print(_why(error, options.host, options.port), file=sys.stderr)  # noqa: T201
        return 2
    with listener:
        asyncio.run(_serve(options.folder.absolute(), listener))
    return 0


async def _serve(folder: Path, listener: socket.socket) -> None:
    # uvicorn raises the signal again once it is done; the rest is then still to be tidied up
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: None)
    switch = Switch(folder)
    port = listener.getsockname()[1]
    place = state.running_path(folder, port)
    # a socket's path may be no longer than a hundred characters, which the folder's may be
    private = Path(tempfile.mkdtemp(prefix="distillery-"))
    control = await asyncio.start_unix_server(
        lambda reader, writer: converse(switch, reader, writer), private / "control"
    )
    config = uvicorn.Config(
        Address(switch).application,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=_BACKLOG,
        lifespan="off",
    )
    resumed = asyncio.create_task(switch.resume())
    running = Running(
        process=provenance.this_process(), port=port, control=str(private / "control")
    )
    try:
        state.write(place, running)
        await uvicorn.Server(config).serve(sockets=[listener])
    finally:
        control.close()
        resumed.cancel()
        await switch.end()
        place.unlink(missing_ok=True)
        shutil.rmtree(private, ignore_errors=True)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)  # from here on requests wait instead of being turned away
    except OSError:
        listener.close()
        raise
    return listener


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another program"
    return f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"


if __name__ == "__main__":
    sys.exit(main())
