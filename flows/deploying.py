"""Brings a team's Prefect server to what prefect.yaml says, and changes nothing else.

Each thing is read from the server first and written only where it differs, so that a second run
has no effect, and what a person switched on the page (a schedule, an automation) stays so.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound
from prefect.runner.storage import LocalStorage

from distillery.errors import UserError
from flows.server import NamedServer, server_at_hand

Change = Literal["made", "changed", "unchanged"]

_HERE = Path(__file__).parent
POOL = "distillery"
_NO_LIMIT = {"limit": None, "collision_strategy": None}


def deploy_all(pool_kind: str = "process", file: Path | None = None) -> dict[str, Change]:
    """What was done about each thing. ``file``: another prefect.yaml than distillery's own.

    Raises ``UserError`` where PREFECT_API_URL names no server, or one that does not answer.
    """
    if _url() is None or not isinstance(server_at_hand(), NamedServer):
        raise UserError(
            "PREFECT_API_URL names no server to deploy to; `make stack` starts one and says what "
            "to set"
        )
    pool = POOL if pool_kind == "process" else f"{POOL}-{pool_kind}"
    changes: dict[str, Change] = {}
    with get_client(sync_client=True) as client:
        changes[f"work pool {pool}"] = _work_pool(client, pool, pool_kind)
        told = yaml.safe_load((file or _shipped("prefect.yaml")).read_text(encoding="utf-8"))
        for entry in told["deployments"]:
            changes[f"deployment {entry['name']}/{entry['name']}"] = _deployment(
                client, entry, pool, told["pull"]
            )
        for automation in _automations(client):
            changes[f"automation {automation.name}"] = _automation(client, automation)
    return changes


def _url() -> str | None:
    from prefect.settings import PREFECT_API_URL

    url: str | None = PREFECT_API_URL.value()
    return url


def _shipped(name: str) -> Path:
    """Of the checkout, or of the installed package."""
    found = [place / name for place in (_HERE.parent, _HERE) if (place / name).exists()]
    if not found:
        raise UserError(f"{name} is missing from this installation; install distillery again")
    return found[0]


def _work_pool(client: SyncPrefectClient, name: str, kind: str) -> Change:
    template = yaml.safe_load(_shipped(f"infra/work-pools/{kind}.yaml").read_text(encoding="utf-8"))
    try:
        there = client.read_work_pool(name)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=name, type=kind, base_job_template=template))
        return "made"
    if there.type != kind:
        raise UserError(
            f"the work pool '{name}' there is of type {there.type}, not {kind}; delete it "
            f"(`prefect work-pool delete {name}`), or deploy with --pool {there.type}"
        )
    if there.base_job_template == template:
        return "unchanged"
    client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))
    return "changed"


class _Pulled(LocalStorage):
    """Where a run finds its code: by prefect.yaml's own steps."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        super().__init__(path=".")
        self._steps = steps

    def to_pull_step(self) -> Any:
        return self._steps


def _deployment(
    client: SyncPrefectClient, entry: Mapping[str, Any], pool: str, pull: list[dict[str, Any]]
) -> Change:
    wanted = RunnerDeployment.from_entrypoint(
        _entrypoint(entry),
        name=entry["name"],
        description=entry["description"],
        tags=entry["tags"],
        parameters=entry["parameters"],
        concurrency_limit=(
            ConcurrencyLimitConfig.model_validate(entry["concurrency_limit"])
            if "concurrency_limit" in entry
            else None
        ),
        work_pool_name=pool,
        job_variables=entry["work_pool"]["job_variables"],
    )
    wanted.storage = _Pulled(pull)
    schedules = list(_schedules(entry))
    try:
        there = client.read_deployment_by_name(f"{wanted.flow_name}/{wanted.name}")
    except ObjectNotFound:
        wanted.apply(schedules=schedules)
        return "made"
    if _stated(there) == _wanted(wanted, entry, pool, pull):
        return "unchanged"
    for schedule in schedules:
        if schedule["slug"] in {one.slug for one in there.schedules}:
            del schedule["active"]  # whoever switched it on or off meant it
    wanted.apply(schedules=schedules)
    return "changed"


def _entrypoint(entry: Mapping[str, Any]) -> str:
    """With dots alone: a module, wherever the package is installed, and no file of a folder."""
    return str(entry["entrypoint"]).replace(":", ".")


def _schedules(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for schedule in entry.get("schedules", ()):
        yield {
            "slug": schedule["slug"],
            "active": schedule["active"],
            "parameters": schedule.get("parameters", {}),
            "schedule": {"cron": schedule["cron"], "timezone": schedule["timezone"]},
        }


def _wanted(
    deployment: RunnerDeployment, entry: Mapping[str, Any], pool: str, pull: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "pull": pull,
        "entrypoint": _entrypoint(entry),
        **{name: entry[name] for name in ("description", "tags", "parameters")},
        "pool": pool,
        "job_variables": entry["work_pool"]["job_variables"],
        "limit": dict(entry.get("concurrency_limit", _NO_LIMIT)),
        "form": deployment._parameter_openapi_schema.model_dump(exclude_unset=True),
        "schedules": {
            one["slug"]: {"parameters": one["parameters"], **one["schedule"]}
            for one in _schedules(entry)
        },
    }


def _stated(there: DeploymentResponse) -> dict[str, Any]:
    """What the server holds, as ``_wanted`` says it."""
    limit, options = there.global_concurrency_limit, there.concurrency_options
    return {
        "pull": there.pull_steps,
        "entrypoint": there.entrypoint,
        "description": there.description,
        "tags": there.tags,
        "parameters": there.parameters,
        "pool": there.work_pool_name,
        "job_variables": there.job_variables,
        "limit": {
            "limit": limit.limit if limit else None,
            "collision_strategy": str(options.collision_strategy.value) if options else None,
        },
        "form": there.parameter_openapi_schema,
        "schedules": {
            one.slug: {
                "parameters": one.parameters,
                "cron": getattr(one.schedule, "cron", None),
                "timezone": getattr(one.schedule, "timezone", None),
            }
            for one in there.schedules
        },
    }


def _automations(client: SyncPrefectClient) -> Iterator[AutomationCore]:
    """What follows from events."""
    retrain = client.read_deployment_by_name("retrain/retrain")
    yield AutomationCore(
        name="distillery: retrain on drift",
        description="What is asked of a served model is no longer what it was trained on.",
        trigger=EventTrigger(
            expect={"distillery.drift"},
            match={"prefect.resource.id": "distillery.model.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            RunDeployment(
                deployment_id=retrain.id,
                parameters={
                    "model": _template(
                        "{{ event.resource.id | replace('distillery.model.', '') }}"
                    ),
                    "reason": _template("{{ event.payload.reason | default('drift') }}"),
                },
            )
        ],
    )


def _template(text: str) -> dict[str, str]:
    return {"__prefect_kind": "jinja", "template": text}


def _automation(client: SyncPrefectClient, wanted: AutomationCore) -> Change:
    found = client.read_automations_by_name(wanted.name)
    if not found:
        client.create_automation(wanted)
        return "made"
    there = found[0]
    kept = wanted.model_copy(update={"enabled": there.enabled})
    if _as_told(there) == _as_told(kept):
        return "unchanged"
    client.update_automation(there.id, kept)
    return "changed"


def _as_told(automation: AutomationCore) -> dict[str, Any]:
    """What we say about one; what the server adds is its own."""
    told = automation.model_dump(
        mode="json", include={"name", "description", "enabled", "trigger", "actions"}
    )
    for field in ("after", "expect", "for_each"):
        told["trigger"][field] = sorted(told["trigger"][field])
    told["trigger"].pop("id", None)
    return told
