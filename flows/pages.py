"""The two web pages of a machine without servers: Prefect's and MLflow's, on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

from rich.console import Console

from distillery import storage, tracking
from distillery.errors import UserError

_READY_SECONDS = 90


def serve_pages(console: Console, *, prefect_port: int, mlflow_port: int) -> None:
    """Start both servers, wait until both answer, and end both on Ctrl-C.

    Raises ``UserError`` where a port is taken or a server does not start.
    """
    for name, port, option in (
        ("Prefect", prefect_port, "--prefect-port"),
        ("MLflow", mlflow_port, "--mlflow-port"),
    ):
        refuse_taken(name, port, option)
    root = storage.ready()
    backend = tracking.connect()
    if backend.startswith("http"):
        raise UserError(f"MLFLOW_TRACKING_URI names a server already: open {backend}")
    environment = {
        **os.environ,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # the page asks port 4200 unless it is told
        "PREFECT_SERVER_UI_API_URL": f"http://127.0.0.1:{prefect_port}/api",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    commands = {
        "Prefect": f"prefect server start --host 127.0.0.1 --port {prefect_port}".split(),
        "MLflow": [
            *f"mlflow server --host 127.0.0.1 --port {mlflow_port} --workers 1".split(),
            "--backend-store-uri",
            backend,
            "--artifacts-destination",
            str(root / "mlartifacts"),
        ],
    }
    addresses = {
        "Prefect": f"http://127.0.0.1:{prefect_port}",
        "MLflow": f"http://127.0.0.1:{mlflow_port}",
    }
    log_path = root / "pages.log"
    servers: dict[str, subprocess.Popen[bytes]] = {}
    with log_path.open("wb") as log:
        try:
            for name, command in commands.items():
                servers[name] = subprocess.Popen(
                    [sys.executable, "-m", *command], env=environment, stdout=log, stderr=log
                )
            with console.status("starting Prefect and MLflow"):
                for name, health in (("Prefect", "/api/health"), ("MLflow", "/health")):
                    _wait(name, servers[name], addresses[name] + health, str(log_path))
            for name, address in addresses.items():
                console.print(f"{name}: {address}")
            console.print("Ctrl-C ends both.")
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            with suppress(KeyboardInterrupt):
                while all(server.poll() is None for server in servers.values()):
                    time.sleep(0.5)
        finally:
            for server in servers.values():
                server.send_signal(signal.SIGINT)
            for server in servers.values():
                try:
                    server.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    server.kill()


def refuse_taken(name: str, port: int, option: str, host: str = "127.0.0.1") -> None:
    """Raises ``UserError`` where the port cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"port {port} for {name} is taken; end what runs there, or choose another "
                f"with {option}"
            ) from error


def _wait(name: str, server: "subprocess.Popen[bytes]", url: str, log_path: str) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            break
        with suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
            return
        time.sleep(0.2)
    raise UserError(f"{name}'s server did not start; its last words are in {log_path}")
