"""Keeping house: what is old, and nothing refers to, is deleted."""

import prefect

from distillery import tracking
from distillery.housekeeping.keeping import Tidied
from distillery.housekeeping.retention import Retention, plan
from tasks.list_house import list_house
from tasks.ownership import sign
from tasks.publish_plan import publish_plan
from tasks.tidy_up import tidy_up


@prefect.flow(
    name="retain",
    description="Delete old runs, versions, files and caches that nothing refers to.",
    persist_result=False,
)
def retain(keep: Retention = Retention(), dry_run: bool = True) -> Tidied:
    """Never what an alias names, what is served, or what those came from. A dry run only says what
    would go.
    """
    sign()
    tracking.connect()
    tracking.close_orphans()
    planned = plan(list_house(), keep)
    tidied = Tidied(plan=planned, applied=False) if dry_run else tidy_up(planned)
    publish_plan(tidied)
    return tidied
