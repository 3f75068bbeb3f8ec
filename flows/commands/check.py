"""``distillery check``: all that can be verified before training."""

import json

from rich.table import Table

from flows.commands.rental import plan_table
from flows.console import (
    JsonOption,
    RecipeArgument,
    SetOption,
    err,
    one_clear_line,
    out,
    quiet_libraries,
)


def check(recipe: RecipeArgument, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Verify all that can be verified before training, in seconds."""
    with one_clear_line():
        quiet_libraries()
        from distillery import preflight, recipe_files

        loaded = recipe_files.load(recipe, set_ or ())
        with err.status("checking"):
            plan = preflight.check(loaded)
            parameters = preflight.parameters(
                loaded, labels=plan.labels, image_shape=plan.image_shape
            )
    if json_:
        shown = {**plan.model_dump(mode="json"), "parameters": parameters}
        if plan.rented is not None:
            shown["rented"]["usd_worst"] = plan.rented.usd_worst
        out.print_json(json.dumps(shown))
        return
    table = Table(title=f"{plan.recipe_name}: ready to run", show_header=False)
    rows = ", ".join(f"{count:,} {split}" for split, count in plan.rows.items())
    what = f"{plan.labels} labels"
    if plan.score_range is not None:
        what = f"scores from {plan.score_range[0]:g} to {plan.score_range[1]:g}"
    table.add_row("data", f"{rows}; {what}")
    if plan.leaked_rows_removed:
        table.add_row("", f"{plan.leaked_rows_removed} leaked training rows left out")
    for name in loaded.teachers:
        table.add_row(name, f"{parameters[name]:,} parameters")
    whole = "the teacher" if len(loaded.teachers) == 1 else "the ensemble"
    of_teachers = sum(parameters[name] for name in loaded.teachers)
    for student in loaded.students:
        count = parameters[student.name]
        share = count / of_teachers
        table.add_row(f"student {student.name}", f"{count:,} parameters ({share:.0%} of {whole})")
    table.add_row("trainings", str(plan.trainings))
    if plan.search is not None:
        found = plan.search
        minutes = [max(1, round(s / 60)) for s in (found.seconds_least, found.seconds_most)]
        table.add_row(
            "search",
            f"{found.candidates} candidates, {found.screened} short measurements, then at most "
            f"{found.in_full_most} in full; {minutes[0]} to {minutes[1]} min, were a row 2 ms",
        )
    table.add_row("tracking", plan.tracking_uri)
    table.add_row("storage", plan.storage_root)
    out.print(table)
    if plan.rented is not None:
        out.print(plan_table(plan.rented))
