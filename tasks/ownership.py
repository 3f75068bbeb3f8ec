"""Which process runs a flow run: signed by itself, as a label, so that others can look it up.

Prefect keeps a flow run RUNNING for ever where the worker died together with it.
"""

from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import FlowRun

from distillery import provenance
from tasks.step import flow_run_id

_LABEL = "distillery.owner"


def sign() -> None:
    """This process runs the flow run that this is called in."""
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(UUID(flow_run_id()), {_LABEL: provenance.this_process()})


def owner(run: FlowRun) -> str | None:
    """Who signed it, as ``provenance.this_process`` names it."""
    signed = run.labels.get(_LABEL)
    return signed if isinstance(signed, str) else None
