"""Kept-alive connections to a scoring server of our own: the little of HTTP that it speaks.

A general client costs more time than all else that the gateway does with a request.
"""

import asyncio
from dataclasses import dataclass

_LARGEST_HEAD_BYTES = 64 << 10


class NotSeenError(Exception):
    """No connection was to be had: nobody saw the request."""


class CutOffError(Exception):
    """The connection ended before the answer did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """As the scoring server gave it."""

    status: int
    content_type: str
    content: bytes


class Connections:
    """To one port on loopback. As many as there are requests at a time; idle ones are kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: bytes, content_type: str) -> Answer:
        """Raises ``NotSeenError`` and ``CutOffError``."""
        reader, writer = await self._connection()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {content_type}\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        try:
            writer.write(head.encode("latin-1") + body)
            await writer.drain()
            answer = await _read(reader)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            writer.close()
            raise CutOffError(str(e)) from e
        except BaseException:  # cancelled: the rest of its answer must not meet another request
            writer.close()
            raise
        self._idle.append((reader, writer))
        return answer

    def close(self) -> None:
        """Those that are idle."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not (reader.at_eof() or writer.is_closing()):
                return reader, writer
            writer.close()
        try:
            return await asyncio.open_connection("127.0.0.1", self._port, limit=_LARGEST_HEAD_BYTES)
        except OSError as error:
            raise NotSeenError(str(error)) from error


async def _read(reader: asyncio.StreamReader) -> Answer:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "content-length" not in headers:
        raise ValueError("the scoring server's answer has no length")
    return Answer(
        status=int(first.split(" ", 2)[1]),
        content_type=headers.get("content-type", "application/json"),
        content=await reader.readexactly(int(headers["content-length"])),
    )
