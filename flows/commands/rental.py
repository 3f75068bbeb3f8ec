"""What would be rented, as a table: shown before anything starts."""

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from distillery.aws.nouns import Plan


def plan_table(plan: "Plan") -> Table:
    """Instances, prices, and the most that all may cost."""
    aws = plan.aws
    table = Table(
        title=f"Rented from AWS by {plan.arn} in {plan.region}",
        caption=f"At most {aws.minutes_max} minutes each, {aws.max_parallel} at one time, "
        f"{' then '.join(aws.markets).replace('_', ' ')}. Worst case ${plan.usd_worst:.2f} of "
        f"${aws.cost_usd_max:.2f} (aws.cost_usd_max).",
    )
    table.add_column("target")
    for name in ("vCPUs", "$ an hour", "spot", "worst case"):
        table.add_column(name, justify="right")
    table.add_column("price from")
    for one in plan.instances:
        spot = one.price.spot_usd_per_hour
        table.add_row(
            one.target,
            str(one.offering.vcpus),
            f"{one.price.on_demand_usd_per_hour:.4g}",
            f"{spot:.4g}" if spot is not None else "–",
            f"${one.usd_worst:.2f}",
            f"{one.price.source}, {one.price.as_of}",
        )
    return table
