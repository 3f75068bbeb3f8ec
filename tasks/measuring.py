"""One measuring at a time on a machine, whichever runs it is for: two would time each other."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prefect import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

# a holder that dies is waited for this long
_LEASE_SECONDS = 60


@contextmanager
def machine_to_oneself() -> Iterator[None]:
    """Wait until no other run of this Prefect server measures here.

    The limit is made where it is missing: a missing one would silently not limit.
    """
    name = "distillery.measuring." + re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())
    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            with suppress(ObjectAlreadyExists):  # somebody else made it meanwhile
                client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=name, limit=1)
                )
    with concurrency(name, strict=True, lease_duration=_LEASE_SECONDS):
        yield
