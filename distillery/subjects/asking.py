"""What a person wants measured, from the command line or the Prefect form."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from distillery import recipe_files
from distillery.aws.settings import Aws
from distillery.errors import UserError
from distillery.measurements import Offline, Scenario
from distillery.noun import Noun
from distillery.targets.named import AnyTarget, named
from distillery.targets.this_machine import ThisMachine

# no training waits for it, so more is measured than beside a recipe
WHOLE = Scenario(offline=Offline(batch_sizes=(1, 2, 4, 8, 16, 32)), cold_starts=3)


class Asked(Noun):
    """Which models, where, how, and over what."""

    models: tuple[str, ...] = Field(
        title="Models",
        description="models:/NAME@champion, a candidate's folder, compiled: and the folder of one "
        "in PyTorch, or an .onnx file. The first is what the others are compared with.",
    )
    targets: tuple[AnyTarget, ...] = Field(
        default=(ThisMachine(),),
        min_length=1,
        title="Targets",
        description="Where each is measured; only what was measured on one is compared.",
    )
    scenario: Scenario = Field(default=WHOLE, title="Scenario")
    texts: Path | None = Field(
        default=None,
        title="Texts",
        description="A file with one text a line, pairs apart by a tab; else the quickstart's.",
    )
    tokens: int = Field(
        default=128,
        ge=1,
        le=100_000,
        title="Tokens",
        description="Of a graph that is not ours: the longest input, and without a tokenizer every "
        "input's length.",
    )
    threads: int = Field(
        default=0, ge=0, le=1024, title="Threads", description="0 means one a core."
    )


def targets(given: Sequence[str], aws: Sequence[str] = ()) -> tuple[AnyTarget, ...]:
    """The places of these names; this machine's CPU where none is given.

    ``aws`` are ``key=value``, for those that are rented there. Raises ``UserError`` for a name that
    no target has, or that is given twice.
    """
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise UserError(f"--target {twice[0]} is given twice; give each target once")
    values: dict[str, Any] = Aws().model_dump(mode="json", exclude_none=True)
    for one in aws:
        recipe_files.override(values, one, option="--aws", example="cost_usd_max=2")
    settings = recipe_files.validated(Aws, values, where="--aws")
    return tuple(named(name, settings) for name in given) or (ThisMachine(),)


def scenario(given: Sequence[str]) -> Scenario:
    """The whole of it, changed by YAML files and by ``key=value``, in the order given.

    Raises ``UserError`` for a key or a value that is not known.
    """
    values: dict[str, Any] = WHOLE.model_dump(mode="json", exclude_none=True)
    for one in given:
        if one.endswith((".yaml", ".yml")):
            values |= recipe_files.read(Path(one), "scenario", begins="requests, offline …")
        else:
            recipe_files.override(
                values, one, option="--scenario", example="server.p99_objective_ms=20"
            )
    return recipe_files.validated(Scenario, values, where="--scenario")
