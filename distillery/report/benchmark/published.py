"""What others published for instance types: references, marked as such, never ranked."""

from datetime import date
from pathlib import Path

import yaml
from pydantic import Field

from distillery.noun import Noun

_FILE = Path(__file__).parents[3] / "benchmarks" / "published.yaml"


class PublishedRow(Noun):
    """One published figure. None: not told."""

    instance_type: str
    model: str = Field(description="With length, batch and runtime.")
    rate_per_second: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cost_per_million_usd: float | None = None
    published: str = Field(description="When, or with which release.")
    source: str = Field(description="Its address.")


class Published(Noun):
    """All of them, and when they were read."""

    read_on: date
    rows: tuple[PublishedRow, ...]


def published() -> Published:
    """Those of ``benchmarks/published.yaml``."""
    return Published.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))
