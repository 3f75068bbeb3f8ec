"""What a benchmark of models on their own found."""

from pydantic import Field

from distillery.benchmarking.comparison import Compared
from distillery.measurements import Measurement
from distillery.noun import Noun
from distillery.subjects.asking import Asked
from distillery.subjects.checking import Skipped
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
    comparisons: tuple[Compared, ...] = Field(
        description="Each of the others with the first, target by target."
    )
    flow_run_id: str
    started_at: str = Field(description="ISO 8601, UTC.")
    code_version: str
