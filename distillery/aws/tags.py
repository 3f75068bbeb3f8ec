"""What an instance of ours bears, so that it is found again, and ended when it is due."""

from datetime import UTC, datetime
from typing import Any

RUN, OWNER, EXPIRES_AT = "distillery:run", "distillery:owner", "distillery:expires-at"
LIVING = ("pending", "running", "stopping", "stopped")


def tags(*, name: str, run: str, owner: str, expires_at: datetime) -> list[dict[str, str]]:
    """As EC2 takes them."""
    values = {
        "Name": name,
        RUN: run,
        OWNER: owner[:256],
        EXPIRES_AT: expires_at.astimezone(UTC).isoformat(timespec="seconds"),
    }
    return [{"Key": key, "Value": value} for key, value in values.items()]


def tag(instance: dict[str, Any], key: str) -> str | None:
    """None where it has no such tag."""
    found = (one["Value"] for one in instance.get("Tags", ()) if one["Key"] == key)
    return next(found, None)


def expires_at(instance: dict[str, Any]) -> datetime | None:
    """None where the tag is missing or unreadable."""
    try:
        when = datetime.fromisoformat(tag(instance, EXPIRES_AT) or "")
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def living(ec2: Any, key: str, value: str | None = None) -> list[dict[str, Any]]:
    """Instances that bear the tag and are not over."""
    return [one for one in bearing(ec2, key, value) if one["State"]["Name"] in LIVING]


def bearing(ec2: Any, key: str, value: str | None = None) -> list[dict[str, Any]]:
    """Instances that bear the tag, the newest first; EC2 tells for an hour of those that ended."""
    wanted = (
        {"Name": f"tag:{key}", "Values": [value]}
        if value
        else {
            "Name": "tag-key",
            "Values": [key],
        }
    )
    found = [
        instance
        for page in ec2.get_paginator("describe_instances").paginate(Filters=[wanted])
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]
    return sorted(found, key=lambda one: one["LaunchTime"], reverse=True)
