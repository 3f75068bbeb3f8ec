"""What a benchmark of models on their own found."""

from pydantic import Field

from distillery.aws.nouns import Plan
from distillery.benchmarking.comparison import Compared
from distillery.measurements import Measurement, Skipped
from distillery.noun import Noun
from distillery.subjects.asking import Asked
from distillery.subjects.finding import Subject


class BenchmarkFindings(Noun):
    """All that the report tells, raw samples included."""

    asked: Asked
    subjects: tuple[Subject, ...]
    examples_are: str = Field(description="What the models were asked, in words.")
    measurements: tuple[Measurement, ...] = Field(
        description="One a target and subject that can run there, in their order."
    )
    skipped: tuple[Skipped, ...] = Field(default=(), description="What cannot run where.")
    plan: Plan | None = Field(default=None, description="What was rented for it.")
    comparisons: tuple[Compared, ...] = Field(
        description="Each of the others with the first, target by target."
    )
    flow_run_id: str
    started_at: str = Field(description="ISO 8601, UTC.")
    code_version: str
