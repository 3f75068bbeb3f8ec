"""What a search tries. Touches nothing: whether it fits on a machine is asked in preflight."""

from typing import Annotated

from pydantic import Field, model_validator

from distillery.export.quantization.base import Tables
from distillery.measurements import Offline, Scenario
from distillery.noun import Noun

_Count = Annotated[int, Field(ge=1, le=1024)]

# few enough to be quick, and enough for a percentile's bounds: p95 needs 90, a median 7
_REQUESTS, _ROUNDS, _BATCHES = 100, 5, 10


class Search(Noun):
    """The grid: every candidate of the recipe × threads × instances."""

    threads: tuple[_Count, ...] = Field(
        default=(1, 2),
        min_length=1,
        max_length=16,
        title="Threads",
        description="Of each instance, within operators.",
    )
    instances: tuple[_Count, ...] = Field(
        default=(1,),
        min_length=1,
        max_length=16,
        title="Instances",
        description="Processes of one engine each, side by side; one alone is always tried. Those "
        "that do not fit on the cores with some number of threads are left out there.",
    )
    tables: tuple[Tables, ...] = Field(
        default=(),
        max_length=16,
        title="Embedding tables",
        description="Beside export.tables: each makes one more candidate of every quantization.",
    )

    @model_validator(mode="after")
    def _nothing_is_tried_twice(self) -> "Search":
        for name in ("threads", "instances", "tables"):
            values = getattr(self, name)
            if any(values.count(value) > 1 for value in values):
                raise ValueError(f"{name} names one value twice; leave one out")
        return self

    def side_by_side(self, threads: int, cores: int) -> tuple[int, ...]:
        """How many instances of so many threads to try, fewest first; 1 is among them."""
        fitting = {count for count in self.instances if count * threads <= cores}
        return tuple(sorted({1, *fitting}))


def screening(full: Scenario) -> Scenario:
    """The short scenario that tells what may be left out of the full one."""
    return Scenario(
        requests=_REQUESTS,
        rounds=_ROUNDS,
        offline=Offline(batch_sizes=full.offline.batch_sizes, batches=_BATCHES),
        paddings=full.paddings[:1],
        seed=full.seed,
    )
