"""The gateway's end of what ``control`` says."""

import asyncio
import json
import logging

from pydantic import ValidationError

from distillery.deployment.gateway.backend import Backend, NotStartedError
from distillery.deployment.gateway.release import Release
from distillery.deployment.gateway.switching import Switch

log = logging.getLogger(__name__)


async def converse(
    switch: Switch, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection, a JSON line each way; see ``control.Control``."""
    tried: Backend | None = None
    try:
        while line := await reader.readline():
            try:
                match json.loads(line):
                    case {"try": release}:
                        tried = await switch.try_out(Release.model_validate(release))
                        reply = {}
                    case {"switch": True} if tried is not None:
                        reply = {"since": switch.switch(tried)}
                        tried = None
                    case _:
                        reply = {"failed": "that is nothing to ask of a gateway now"}
            except (NotStartedError, ValidationError, ValueError, OSError) as error:
                reply = {"failed": " ".join(str(error).split())}
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
    except ConnectionError:
        pass  # the same as an end
    finally:
        if tried is not None:
            log.warning("version %s was not switched to; it ends", tried.release.version)
            await switch.drop(tried)
        writer.close()
