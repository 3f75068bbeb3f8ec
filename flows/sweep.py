"""Instances that outlived their benchmark, ended; to be run on a schedule."""

from collections.abc import Sequence

import prefect

from distillery.aws.sweeping import Left
from tasks.sweep_instances import sweep_instances


@prefect.flow(
    name="sweep",
    description="End instances of distillery's on AWS that are past their time.",
    persist_result=False,
)
def sweep(regions: Sequence[str] = ()) -> tuple[Left, ...]:
    """What was found in the regions; in the worker's own where none is named."""
    return tuple(one for region in regions or (None,) for one in sweep_instances(region))
