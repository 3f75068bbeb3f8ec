"""The last of five ends: whatever bears our tag and is past its time is terminated."""

import logging
from datetime import UTC, datetime

from pydantic import Field

from distillery.aws import tags
from distillery.aws.session import Session, clear_errors
from distillery.noun import Noun

log = logging.getLogger(__name__)


class Left(Noun):
    """An instance of ours that is not over."""

    instance_id: str
    instance_type: str
    region: str
    state: str
    run: str
    owner: str
    expires_at: str = Field(description="ISO 8601; empty where the tag cannot be read.")
    ended: bool = Field(description="Whether this sweep ended it.")


def sweep(session: Session, *, every: bool = False, dry_run: bool = False) -> tuple[Left, ...]:
    """What is left running in the session's region; what has expired is terminated.

    ``every`` ends those that have time left as well, ``dry_run`` ends none. An instance whose tag
    cannot be read counts as expired.
    """
    ec2 = session.client("ec2")
    now = datetime.now(UTC)
    with clear_errors("the instances cannot be swept"):
        found = tags.living(ec2, tags.EXPIRES_AT)
        left = []
        for instance in found:
            due = tags.expires_at(instance)
            ends = not dry_run and (every or due is None or due < now)
            left.append(
                Left(
                    instance_id=instance["InstanceId"],
                    instance_type=instance["InstanceType"],
                    region=session.region,
                    state=instance["State"]["Name"],
                    run=tags.tag(instance, tags.RUN) or "",
                    owner=tags.tag(instance, tags.OWNER) or "",
                    expires_at=due.isoformat() if due else "",
                    ended=ends,
                )
            )
        over = [one.instance_id for one in left if one.ended]
        if over:
            log.info("terminating %s", ", ".join(over))
            ec2.terminate_instances(InstanceIds=over)
    return tuple(left)
