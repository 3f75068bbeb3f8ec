"""``distillery recipes``: what comes with distillery."""

import json
import os

from rich.table import Table

from flows.console import JsonOption, one_clear_line, out


def recipes(json_: JsonOption = False) -> None:
    """List the recipes that come with distillery."""
    with one_clear_line():
        from distillery import recipe_files

        found = [(name, recipe_files.load(name)) for name in recipe_files.shipped()]
    if json_:
        rows = {name: recipe.description for name, recipe in found}
        out.print_json(json.dumps(rows))
        return
    table = Table("recipe", "data", "students", "what it does")
    for name, recipe in found:
        source = os.path.relpath(recipe.data.source) if "/data/" in recipe.data.source else None
        students = ", ".join(student.name for student in recipe.students)
        table.add_row(name, source or recipe.data.source, students, recipe.description)
    out.print(table)
