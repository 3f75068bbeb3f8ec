"""The address of a gateway as its users see it, and its processes as the machine does."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROWS = {"dataframe_split": {"columns": ["text"], "data": [["move my money"]]}}


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    version: str | None
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Address:
    """One kept-alive connection, as a client has it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def get(self, path: str) -> Reply:
        return self.ask(path, None)

    def ask(
        self,
        path: str = "/invocations",
        body: bytes | dict[str, Any] | None = ROWS,
        **headers: str,
    ) -> Reply:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(
            "GET" if data is None else "POST",
            path,
            data,
            {"Content-Type": "application/json", **names},
        )
        response = self._connection.getresponse()
        return Reply(
            status=response.status,
            version=response.headers["X-Distillery-Version"],
            body=response.read(),
        )

    def another(self) -> "Address":
        return Address(self._port)


@dataclass
class Load:
    """Clients that ask again and again until the block ends."""

    address: Address
    clients: int = 4
    rows: dict[str, Any] = field(default_factory=lambda: ROWS)
    replies: list[Reply] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self) -> None:
        mine = self.address.another()
        while not self._over.is_set():
            try:
                self.replies.append(mine.ask(body=self.rows))
            except Exception as error:
                self.errors.append(error)
                mine = self.address.another()


def children_of_gateways(folder: Path) -> list[psutil.Process]:
    """Scoring servers whose model lies under a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and "scoring.py" in " ".join(
                process.cmdline()
            ):
                model = process.environ().get("__pyfunc_model_path__", "")
                if model.startswith(str(folder)):
                    found.append(process)
        except psutil.Error:
            continue
    return found


def eventually(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Waits for another process to have done something."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.05)
