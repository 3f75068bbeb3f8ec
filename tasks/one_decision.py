"""One decision about a model at a time, wherever it is made; who asked for it; what came of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import prefect.runtime
from prefect import get_client
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from distillery import tracking
from distillery.nouns import Decision
from distillery.registry.decisions import Asked
from tasks.step import flow_run_id

# a holder that dies is waited for this long
_LEASE_SECONDS = 60


@contextmanager
def one_at_a_time(model: str) -> Iterator[None]:
    """Wait until nobody else decides about this model, on any machine of this Prefect server.

    The limit is made where it is missing: a missing one would silently not limit.
    """
    tracking.connect()
    name = "distillery.model." + re.sub(r"[^A-Za-z0-9._-]", "-", model)
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


def asked(requested_by: str) -> Asked:
    """By whom, or else what is known: the flow run's name."""
    known = requested_by or f"Prefect flow run {prefect.runtime.flow_run.name}"
    return Asked(requested_by=known, flow_run_id=flow_run_id())


def told(decision: Decision) -> Decision:
    """The same, and on the flow run's page."""
    version = decision.version and tracking.version_by_number(decision.model, decision.version)
    link = version and tracking.version_link(version)
    page = f"\n\n[The version in MLflow]({link})" if link else ""
    create_markdown_artifact(
        f"## {decision.summary}\n\nAsked for by {decision.requested_by}.{page}",
        key="decision",
        description=f"What became of the champion of {decision.model}",
    )
    return decision
