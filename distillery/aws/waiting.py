"""Waiting for an instance, and its end: it brings results, dies, or takes too long."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from distillery.aws import tags
from distillery.aws.inbox import Inbox
from distillery.aws.session import Session, UnreachableError, clear_errors
from distillery.errors import NoMeasurementError
from distillery.measurements import Instance

log = logging.getLogger(__name__)

_FIRST_SECONDS, _LONGEST_SECONDS, _GROWTH = 0.5, 15.0, 1.3
_ENDED_MOST_LOOKS = 40
_UNREACHED_MOST = 20
_OVER = ("shutting-down", "terminated", "stopping", "stopped")
_TAKEN_AWAY = "Server.SpotInstanceTermination"
_LAST_WORDS_LINES = 6


class TakenAwayError(NoMeasurementError):
    """The spot market wanted the instance back."""


def wait(session: Session, inbox: Inbox, instance: Instance, stop: Event) -> None:
    """Return once it is done.

    Raises ``NoMeasurementError`` where it ends before, or is past its time, and
    ``TakenAwayError`` where the spot market took it. ``stop`` ends the waiting as well. It outlives
    a network that is away for a while.
    """
    said, unreached = "", 0
    for seconds in _pauses():
        try:
            if _is_done(session, inbox, instance):
                return
            doing = inbox.doing(session)
            unreached = 0
        except UnreachableError as error:
            unreached += 1
            if unreached > _UNREACHED_MOST:
                raise
            log.warning("%s; trying again", error)
            doing = said
        if doing != said:
            said = doing
            log.info("%s, %s: %s", instance.instance_type, instance.instance_id, doing)
        if stop.wait(seconds):
            raise NoMeasurementError(f"waiting for {instance.instance_id} was given up")


def _is_done(session: Session, inbox: Inbox, instance: Instance) -> bool:
    """Raises where it never will be."""
    if inbox.is_done(session):
        return True
    found = _describe(session, instance.instance_id)
    state = found["State"]["Name"] if found else "terminated"
    if state in _OVER:
        if inbox.is_done(session):  # the last that it did
            return True
        raise _died(session, inbox, instance, found)
    due = tags.expires_at(found) if found else None
    if due is not None and datetime.now(UTC) > due:
        raise NoMeasurementError(
            f"{instance.instance_id} was not done by {due:%H:%M} UTC (it was at: "
            f"{inbox.doing(session) or 'nothing yet'}); raise aws.minutes_max"
        )
    return False


def end(session: Session, inbox: Inbox) -> None:
    """Terminate whatever still works on the run, and wait until it is over.

    Never raises: it runs while something else may be on its way up.
    """
    ec2 = session.client("ec2")
    try:
        left = [one["InstanceId"] for one in tags.living(ec2, tags.RUN, inbox.run)]
        if not left:
            return
        log.info("terminating %s", ", ".join(left))
        ec2.terminate_instances(InstanceIds=left)
        pause = Event()
        for _, seconds in zip(range(_ENDED_MOST_LOOKS), _pauses(), strict=False):
            if not tags.living(ec2, tags.RUN, inbox.run):
                return
            pause.wait(seconds)
        log.warning("%s take long to end; look again with `distillery aws sweep`", left)
    except (ClientError, BotoCoreError) as error:
        log.warning(
            "the instances of %s may still run: %s; end them with `distillery aws sweep --all`, "
            "or they end themselves",
            inbox.run,
            error,
        )


def _died(
    session: Session, inbox: Inbox, instance: Instance, found: dict[str, Any] | None
) -> NoMeasurementError:
    reason = (found or {}).get("StateReason", {})
    why = reason.get("Message") or (found or {}).get("StateTransitionReason") or "no reason told"
    if reason.get("Code") == _TAKEN_AWAY:
        return TakenAwayError(f"{instance.instance_id} was taken back by the spot market")
    last = inbox.log_end(session, _LAST_WORDS_LINES) or _console(session, instance.instance_id)
    return NoMeasurementError(
        f"{instance.instance_id} ended before it had results ({why}); it was at: "
        f"{inbox.doing(session) or 'nothing yet'}; its last words: {last or 'none'}"
    )


def _describe(session: Session, instance_id: str) -> dict[str, Any] | None:
    with clear_errors(f"{instance_id} cannot be looked at"):
        try:
            told = session.client("ec2").describe_instances(InstanceIds=[instance_id])
        except ClientError as error:
            if "InvalidInstanceID.NotFound" not in str(error):
                raise
            return None
    instances = [one for reservation in told["Reservations"] for one in reservation["Instances"]]
    return instances[0] if instances else None


def _console(session: Session, instance_id: str) -> str:
    """The end of what it wrote to its console; it comes minutes late, and may not be there."""
    try:
        told = session.client("ec2").get_console_output(InstanceId=instance_id)
    except (ClientError, BotoCoreError):
        return ""
    lines = str(told.get("Output") or "").strip().splitlines()
    return " | ".join(lines[-_LAST_WORDS_LINES:])[-600:]


def _pauses() -> Iterator[float]:
    """Seconds, longer and longer."""
    seconds = _FIRST_SECONDS
    while True:
        yield seconds
        seconds = min(_LONGEST_SECONDS, seconds * _GROWTH)
