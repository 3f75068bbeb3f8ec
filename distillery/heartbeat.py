"""Signs of life of what this process runs, for those on other hosts, who cannot look it up."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 30.0

_beating: dict[str, threading.Event] = {}
_lock = threading.Lock()


def start(name: str, beat: Callable[[], bool], interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Call ``beat`` now and every so often, until ``stop``, False, or the end of this process.

    A beat that fails is tried again at the next: a server may be away for a while.
    """
    stopped = threading.Event()
    with _lock:
        if name in _beating:
            return
        _beating[name] = stopped
    beats = threading.Thread(
        target=_beat, args=(name, beat, interval_seconds, stopped), name=f"heartbeat {name}"
    )
    beats.daemon = True  # it says that the process lives, and must not keep it alive
    beats.start()


def stop(name: str) -> None:
    """No more beats. Repeatable, and harmless where another process has them."""
    with _lock:
        stopped = _beating.pop(name, None)
    if stopped is not None:
        stopped.set()


def _beat(
    name: str, beat: Callable[[], bool], interval_seconds: float, stopped: threading.Event
) -> None:
    while not stopped.is_set():
        try:
            if not beat():
                break
        except Exception as error:  # whatever a server that is away makes its client raise
            log.debug("a heartbeat of %s was missed: %s", name, error)
        stopped.wait(interval_seconds)
    stop(name)
