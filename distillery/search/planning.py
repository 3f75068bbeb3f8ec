"""How much a search would measure, and whether its threads and instances fit here."""

from pydantic import Field

from distillery.benchmarking.fingerprint import available_cores
from distillery.errors import UserError
from distillery.measurements import Scenario
from distillery.noun import Noun
from distillery.recipe import Recipe
from distillery.search.settings import screening

_SECONDS_A_ROW = 0.002  # of a small encoder on a CPU
_SECONDS_TO_OPEN = 2.0


class SearchPlan(Noun):
    """How much a search would measure, before anything is known of the models' speed."""

    candidates: int
    screened: int = Field(description="Short measurements; fewer where some were kept.")
    in_full_most: int = Field(description="If none of them could be left out.")
    seconds_least: float = Field(description="At 2 ms a row: the screening, and one in full.")
    seconds_most: float


def planned(recipe: Recipe) -> SearchPlan | None:
    """None where the recipe asks for no search.

    Raises ``UserError`` where a number of threads, or of instances, does not fit on this machine.
    """
    search, cores = recipe.search, available_cores()
    if search is None:
        return None
    here = f"the {cores} core{'' if cores == 1 else 's'} of this machine"
    many = [threads for threads in search.threads if threads > cores]
    if many:
        raise UserError(f"search.threads {many[0]} is more than {here}; leave it out")
    fewest = min(search.threads)
    many = [count for count in search.instances if count * fewest > cores]
    if many:
        raise UserError(
            f"search.instances {many[0]} of {fewest} thread{'' if fewest == 1 else 's'} each are "
            f"more than {here}; leave it out"
        )
    references = 1 + len(recipe.students)
    exported = (len(recipe.teachers) + len(recipe.students)) * (1 + len(recipe.forms("student")))
    screened = (references + exported) * len(search.threads)
    in_full_most = references + exported * sum(
        len(search.side_by_side(threads, cores)) for threads in search.threads
    )
    short, full = (_seconds(one) for one in (screening(recipe.benchmark), recipe.benchmark))
    return SearchPlan(
        candidates=references + exported,
        screened=screened,
        in_full_most=in_full_most,
        seconds_least=screened * short + (references + 1) * full,
        seconds_most=screened * short + in_full_most * full,
    )


def _seconds(scenario: Scenario) -> float:
    """Of one measurement, roughly."""
    rows = scenario.requests + scenario.offline.batches * sum(scenario.offline.batch_sizes)
    rows *= len(scenario.paddings)
    if scenario.server is not None:
        # at half its capacity, an engine waits for as long as it works
        rows += 2 * scenario.server.rates * scenario.server.requests
    return rows * _SECONDS_A_ROW + (1 + scenario.cold_starts) * _SECONDS_TO_OPEN
