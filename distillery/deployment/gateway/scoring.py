"""The process of one version: MLflow's scoring server on a loopback port of its own.

Run by its path and not as a module: the model brings the ``distillery`` that it was registered
with, which ours would hide. Says ``{"port": N}`` once it answers, and ends when its stdin closes,
so that it never outlives the gateway that started it, however that ended.
"""

import json
import os
import socket
import threading

import uvicorn

# the gateway closes idle connections first: a request never meets one that just closes
_KEEP_ALIVE_SECONDS = 3600


class Announcing(uvicorn.Server):
    """Writes its port to ``said`` as soon as it accepts requests."""

    def __init__(self, config: uvicorn.Config, said: int) -> None:
        super().__init__(config)
        self._said = said

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None, "main gives one"
        os.write(self._said, json.dumps({"port": sockets[0].getsockname()[1]}).encode() + b"\n")


def _end_with_the_gateway() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def main() -> None:
    """MLflow's server finds the model by its own variable, ``__pyfunc_model_path__``."""
    said = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is for the log
    threading.Thread(target=_end_with_the_gateway, daemon=True).start()
    config = uvicorn.Config(
        "mlflow.pyfunc.scoring_server.app:app",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        Announcing(config, said).run(sockets=[listener])


if __name__ == "__main__":
    main()
