"""How a deployment tells the gateway what to do: one connection, one JSON line each way.

A version that is tried out belongs to the connection that asked for it. Where that closes before
the switch, however the process at its other end died, the version is ended.
"""

import json
import socket
from types import TracebackType
from typing import Any, Self

from distillery.deployment.gateway.release import Release

_REPLY_SECONDS = 150


class ControlError(Exception):
    """The gateway could not do it: one line with why."""


class Control:
    """A connection to a gateway; a context."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_REPLY_SECONDS)
        self._socket.connect(path)
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._socket.close()

    def try_out(self, release: Release) -> None:
        """It answers whoever names its digest. Raises ``ControlError``."""
        self._say({"try": release.model_dump()})

    def switch(self) -> None:
        """What is tried out answers everyone. Raises ``ControlError``."""
        self._say({"switch": True})

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
            line = self._lines.readline()
        except OSError as error:
            raise ControlError(f"the gateway does not answer: {error}") from error
        if not line:
            raise ControlError("the gateway ended meanwhile")
        reply = json.loads(line)
        if "failed" in reply:
            raise ControlError(reply["failed"])
