"""The processes that train one model together; a single one, unless a launcher started several."""

from collections.abc import Callable
from typing import TypeVar

import torch.distributed

R = TypeVar("R")


def several() -> bool:
    """Whether there are more than this one."""
    return torch.distributed.is_initialized()


def is_first() -> bool:
    """Whether this is the one that writes."""
    return not several() or torch.distributed.get_rank() == 0


def index() -> int:
    """Of this process among all, over all machines."""
    return torch.distributed.get_rank() if several() else 0


def count() -> int:
    """Over all machines."""
    return torch.distributed.get_world_size() if several() else 1


def once(function: Callable[[], R]) -> R:
    """Called by the first process alone; all get what it returned, and nobody goes on before."""
    if not several():
        return function()
    held = [function() if is_first() else None]
    torch.distributed.broadcast_object_list(held)
    return held[0]  # type: ignore[return-value]
