"""End what is past its time in one region."""

from distillery.aws import sweeping
from distillery.aws.session import open_session
from distillery.aws.sweeping import Left
from tasks.step import fresh_step


@fresh_step
def sweep_instances(region: str | None) -> tuple[Left, ...]:
    """What was found there, ended or not."""
    return sweeping.sweep(open_session(region))
