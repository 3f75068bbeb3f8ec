"""What may be deleted: a pure function over an inventory.

Kept is, whatever its age: what an alias names or a place serves, what it descends from, the flow
runs of all of these, what those flow runs used, and everything of a flow run that is RUNNING.
"""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from distillery.housekeeping.inventory import Inventory, Stored, Version
from distillery.noun import Noun

_DAY = 86_400.0

RemovalKind = Literal["result", "artifact", "work", "report", "version", "model files", "run"]


class Retention(Noun):
    """How long things stay that nothing refers to."""

    age_days: float = Field(
        default=30,
        ge=0,
        le=36_500,
        allow_inf_nan=False,
        title="Age (days)",
        description="What was made or used since then stays.",
    )
    flow_runs: int = Field(
        default=10,
        ge=0,
        le=100_000,
        title="Flow runs",
        description="The newest of each experiment stay, whatever their age.",
    )
    versions: int = Field(
        default=10,
        ge=0,
        le=100_000,
        title="Versions",
        description="The newest of each registered model stay, whatever their age.",
    )
    stale_hours: float = Field(
        default=24,
        ge=1,
        le=87_600,
        allow_inf_nan=False,
        title="Left over (hours)",
        description="Folders that a killed process left half-filled, or that their finished step "
        "no longer needs, go after this.",
    )


class Removal(Noun):
    """One thing to delete."""

    kind: RemovalKind
    name: str = Field(
        description="A path in the storage or an address where it is shared, model/version, or an "
        "id in MLflow."
    )
    why: str
    size_bytes: int | None = Field(description="None where it cannot be seen from here.")
    used_at: float | None = Field(
        default=None, description="Of the storage: where it has been used since, it stays."
    )


class Keeping(Noun):
    """One version that stays."""

    name: str
    why: str


class Plan(Noun):
    """What goes, in the order in which it goes, and which versions stay and why."""

    removals: tuple[Removal, ...]
    kept: tuple[Keeping, ...]
    told: tuple[str, ...] = Field(description="What else a reader must know.")

    @property
    def size_bytes(self) -> int:
        """Of all whose size is known."""
        return sum(removal.size_bytes or 0 for removal in self.removals)


def plan(found: Inventory, keep: Retention) -> Plan:
    """Results go before the artifacts that they refer to, versions before their files and runs."""
    running = {run.flow_run_id for run in found.runs if run.is_running and run.flow_run_id}
    cutoff = found.now - keep.age_days * _DAY
    stale = found.now - keep.stale_hours * 3600
    begun = min((run.started_at for run in found.runs if run.is_running), default=found.now)
    cutoff, stale = min(cutoff, begun), min(stale, begun)

    kept = _kept_versions(found, keep, cutoff, running)
    flow_runs = _kept_flow_runs(found, keep, cutoff, running, kept)
    lineage = _lineage(found, kept, flow_runs)
    results = {one.path for one in _of(found, "result") if _is_needed(one, cutoff, lineage)}
    told = [
        f"the place of {model} does not answer: all its versions stay" for model in found.silent
    ]
    if running:
        told.append(
            f"flow runs that are RUNNING: {len(running)}; what was made or used since the first of "
            "them began stays"
        )
    return Plan(
        removals=(
            *_results(found, results),
            *_artifacts(found, results, cutoff, lineage),
            *_work(found, cutoff, stale),
            *_reports(found, cutoff, flow_runs),
            *_versions(found, kept),
            *_model_files(found, kept, cutoff),
            *_runs(found, cutoff, flow_runs, kept),
        ),
        kept=tuple(Keeping(name=name, why=why) for name, why in kept.items()),
        told=tuple(told),
    )


def _kept_versions(
    found: Inventory, keep: Retention, cutoff: float, running: set[str]
) -> dict[str, str]:
    """Why each stays, by ``model/version``."""
    kept: dict[str, str] = {}
    by_name = {version.name: version for version in found.versions}
    for model in dict.fromkeys(version.model for version in found.versions):
        of_model = sorted(
            (version for version in found.versions if version.model == model),
            key=lambda version: int(version.version),
            reverse=True,
        )
        for place, version in enumerate(of_model):
            why = _why_kept(version, found, cutoff, running)
            if why is None and place < keep.versions:
                why = f"among the {keep.versions} newest"
            if why is not None:
                kept[version.name] = why
    waiting = list(kept)
    while waiting:  # whoever stays keeps its ancestors
        version = by_name[waiting.pop()]
        parent = f"{version.model}/{version.parent_version}"
        if parent in by_name and parent not in kept:
            kept[parent] = f"parent of version {version.version}"
            waiting.append(parent)
    return kept


def _why_kept(version: Version, found: Inventory, cutoff: float, running: set[str]) -> str | None:
    if version.aliases:
        return ", ".join(version.aliases)
    if version.name in found.served:
        return "served"
    if version.model in found.silent:
        return "its place does not answer"
    if version.flow_run_id in running:
        return "its flow run is RUNNING"
    return "young" if version.created_at > cutoff else None


def _kept_flow_runs(
    found: Inventory, keep: Retention, cutoff: float, running: set[str], kept: dict[str, str]
) -> set[str]:
    flow_runs = running | {one.flow_run_id for one in found.versions if one.name in kept}
    newest: dict[str, float] = {}
    for run in found.runs:
        if run.flow_run_id:
            newest[run.flow_run_id] = max(newest.get(run.flow_run_id, 0.0), run.changed_at)
    flow_runs |= {flow_run_id for flow_run_id, changed_at in newest.items() if changed_at > cutoff}
    parents = sorted(
        (run for run in found.runs if run.flow_run_id and run.is_parent and not run.is_condemned),
        key=lambda run: newest[run.flow_run_id],
        reverse=True,
    )
    for experiment_id in {run.experiment_id for run in parents}:
        of_experiment = [run for run in parents if run.experiment_id == experiment_id]
        flow_runs |= {run.flow_run_id for run in of_experiment[: keep.flow_runs]}
    # a cached teacher was trained by an earlier flow run, which the later one's findings name
    flow_run_of = {run.run_id: run.flow_run_id for run in found.runs if run.flow_run_id}
    named_by = {
        report.name: {flow_run_of[run_id] for run_id in report.runs if run_id in flow_run_of}
        for report in _of(found, "report")
    }
    waiting = list(flow_runs)
    while waiting:
        for earlier in named_by.get(waiting.pop(), set()) - flow_runs:
            flow_runs.add(earlier)
            waiting.append(earlier)
    return flow_runs


def _lineage(found: Inventory, kept: dict[str, str], flow_runs: set[str]) -> frozenset[str]:
    """Digests of all that kept versions and kept flow runs are made of."""
    return frozenset(
        [d for version in found.versions if version.name in kept for d in version.digests]
        + [d for run in found.runs if run.flow_run_id in flow_runs for d in run.digests]
        + [d for one in _of(found, "report") if one.name in flow_runs for d in one.digests]
    )


def _is_needed(result: Stored, cutoff: float, lineage: frozenset[str]) -> bool:
    if result.used_at > cutoff:
        return True
    paths = set(result.artifacts)
    own = {digest for digest in result.digests if any(digest.startswith(p) for p in _ends(paths))}
    if own & lineage:
        return True
    # soft labels name teacher and texts; a quality names candidate and data
    others = set(result.digests) - own
    return len(others) >= 2 and others <= lineage


def _ends(paths: set[str]) -> set[str]:
    return {path.rsplit("/", 1)[-1] for path in paths}


def _results(found: Inventory, needed: set[str]) -> Iterator[Removal]:
    for result in _of(found, "result"):
        if result.path not in needed:
            yield _stored(result, f"not used for {_days(found.now - result.used_at)}")


def _artifacts(
    found: Inventory, results: set[str], cutoff: float, lineage: frozenset[str]
) -> Iterator[Removal]:
    needed = {path for one in _of(found, "result") if one.path in results for path in one.artifacts}
    by_start = {digest[:8] for digest in lineage}
    for artifact in _of(found, "artifact"):
        in_lineage = artifact.name[:8] in by_start and any(
            digest.startswith(artifact.name) for digest in lineage
        )
        if artifact.used_at <= cutoff and artifact.path not in needed and not in_lineage:
            yield _stored(artifact, "no result and no kept model refers to it")


def _work(found: Inventory, cutoff: float, stale: float) -> Iterator[Removal]:
    finished = {result.name for result in _of(found, "result")}
    for one in _of(found, "work"):
        if one.name.startswith("gone-"):
            yield _stored(one, "its deletion was begun")
        elif one.name.startswith(("new-", "damaged-")) and one.used_at <= stale:
            yield _stored(one, "a killed process left it")
        elif one.name in finished and one.used_at <= stale:
            yield _stored(one, "its step is finished")
        elif one.used_at <= cutoff:
            yield _stored(one, f"not used for {_days(found.now - one.used_at)}")


def _reports(found: Inventory, cutoff: float, flow_runs: set[str]) -> Iterator[Removal]:
    for report in _of(found, "report"):
        if report.name not in flow_runs and report.used_at <= cutoff:
            yield _stored(report, f"{_days(found.now - report.used_at)} old")


def _versions(found: Inventory, kept: dict[str, str]) -> Iterator[Removal]:
    for version in found.versions:
        if version.name not in kept:
            age = _days(found.now - version.created_at)
            yield Removal(
                kind="version",
                name=version.name,
                why=f"{age} old; no alias, not served, no kept version's parent",
                size_bytes=0,  # its files are counted on their own
            )


def _model_files(found: Inventory, kept: dict[str, str], cutoff: float) -> Iterator[Removal]:
    held = {one.model_id: one.name for one in found.versions if one.name not in kept}
    held |= {one.model_id: "" for one in found.versions if one.name in kept}
    for files in found.logged_models:
        if files.is_foreign or held.get(files.model_id) == "":
            continue
        if files.is_condemned:
            why = "its deletion was begun"
        elif files.model_id in held:
            why = f"of version {held[files.model_id]}"
        elif files.created_at <= cutoff:  # before a RUNNING run could have made it
            why = "no version holds it"
        else:
            continue
        yield Removal(kind="model files", name=files.model_id, why=why, size_bytes=files.size_bytes)


def _runs(
    found: Inventory, cutoff: float, flow_runs: set[str], kept: dict[str, str]
) -> Iterator[Removal]:
    # children first, so that a parent is there as long as any of them
    for run in sorted(found.runs, key=lambda run: run.is_parent):
        if run.is_condemned:
            why = "its deletion was begun"
        elif run.watches and run.watches not in kept and run.changed_at <= cutoff:
            why = f"watched version {run.watches}"
        elif run.flow_run_id and run.flow_run_id not in flow_runs:
            why = f"{_days(found.now - run.changed_at)} old; no kept version is of it"
        else:
            continue
        yield Removal(
            kind="run", name=run.run_id, why=f"{run.name}: {why}", size_bytes=run.size_bytes
        )


def _of(found: Inventory, kind: str) -> list[Stored]:
    return [one for one in found.stored if one.kind == kind]


def _stored(one: Stored, why: str) -> Removal:
    return Removal(
        kind=one.kind,
        name=one.shared_uri or one.path,
        why=why,
        size_bytes=one.size_bytes,
        used_at=one.used_at,
    )


def _days(seconds: float) -> str:
    days = seconds / _DAY
    return f"{days:.0f} days" if days >= 1.5 else f"{seconds / 3600:.0f} hours"
