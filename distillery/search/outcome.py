"""What a search tried and found."""

from typing import Literal

from pydantic import Field

from distillery.measurements import Measurement, Outcome
from distillery.noun import Noun

Goal = Literal["latency", "throughput"]


class Screened(Noun):
    """One configuration in a short benchmark, and the anchor that was measured in the same rounds.

    Two of one session are compared directly; of two sessions, by how each stands to its anchor.
    """

    session: str
    measurement: Measurement
    anchor: Measurement


class Trial(Noun):
    """One candidate with one number of threads, as the screening showed it."""

    candidate_name: str
    candidate_digest: str
    threads: int
    p50_ms: float
    rows_per_second: float
    reused: bool = Field(description="Taken from an earlier screening.")
    why_not_latency: str | None = Field(
        description="Why it can no longer be the quickest; None: it was measured in full."
    )
    why_not_throughput: str | None = Field(description="The same of the highest throughput.")

    @property
    def set_aside(self) -> bool:
        """Whether it was not measured in full."""
        return self.why_not_latency is not None and self.why_not_throughput is not None


class Best(Noun):
    """The best configuration under the gates, for one goal."""

    goal: Goal
    candidate_name: str
    candidate_digest: str
    threads: int
    instances: int
    p50_ms: float = Field(description="Of several instances, while all are asked.")
    rows_per_second: float
    ties: tuple[str, ...] = Field(description="Configurations that cannot be told from it.")


class Searched(Noun):
    """All that was tried on one target, and what came of it."""

    target: str
    cores: int
    trials: tuple[Trial, ...]
    measurements: tuple[Measurement, ...] = Field(
        description="Of all that could still win, and of the references: in full, side by side."
    )
    chosen: tuple[int, ...] = Field(
        description="Which of them each candidate is judged by: the quickest alone, of equal ones "
        "that with the fewest threads."
    )
    best: tuple[Best, ...] = Field(description="At most one a goal; none where no gate was passed.")
    set_aside: dict[str, str] = Field(
        description="Why a candidate was not measured in full, by its name."
    )

    @property
    def judged(self) -> tuple[Measurement, ...]:
        """One a candidate."""
        return tuple(self.measurements[i] for i in self.chosen)

    @property
    def outcome(self) -> Outcome:
        """The same as any target's: what the verdict is made of."""
        return Outcome(target=self.target, measurements=self.judged)


def called(candidate_name: str, threads: int, instances: int = 1) -> str:
    """A configuration in words: ``two-layers int8, 2 instances of 1 thread``."""
    unit = "thread" if threads == 1 else "threads"
    if instances == 1:
        return f"{candidate_name}, {threads} {unit}"
    return f"{candidate_name}, {instances} instances of {threads} {unit}"
