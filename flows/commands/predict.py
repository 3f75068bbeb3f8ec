"""``distillery predict``: a registered model asked by hand."""

import json
from typing import Annotated

import typer
from rich.table import Table

from distillery.errors import UserError
from flows.console import JsonOption, one_clear_line, out, quiet_libraries


def predict(
    model_uri: Annotated[
        str, typer.Argument(help="models:/NAME@champion, models:/NAME/3, or a model's folder.")
    ],
    examples: Annotated[
        list[str],
        typer.Argument(metavar="EXAMPLE...", help="Texts to classify, or image files."),
    ],
    pair: Annotated[
        bool, typer.Option("--pair", help="Take the texts two by two, for models of text pairs.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, max=100, help="Labels to show.")] = 3,
    json_: JsonOption = False,
) -> None:
    """Classify texts, or image files, with a registered model; or give each text its score."""
    with one_clear_line():
        quiet_libraries()
        from distillery import tracking

        if pair and len(examples) % 2:
            raise UserError(f"--pair takes an even number of texts; these are {len(examples)}")
        rows: list[str] | list[tuple[str, str]] = (
            list(zip(examples[::2], examples[1::2], strict=True)) if pair else examples
        )
        tracking.connect()
        found = tracking.predict(model_uri, rows)
    if json_:
        out.print_json(json.dumps(found))
        return
    if "score" in found[0]:
        table = Table("example", "score")
        for row, one in zip(rows, found, strict=True):
            table.add_row(row if isinstance(row, str) else " | ".join(row), f"{one['score']:.4g}")
        out.print(table)
        return
    table = Table("example", "label", "probability", "next")
    for row, one in zip(rows, found, strict=True):
        ranked = sorted(one["probabilities"].items(), key=lambda item: -item[1])[1:top]
        following = ", ".join(f"{name} {p:.1%}" for name, p in ranked)
        shown = row if isinstance(row, str) else " | ".join(row)
        table.add_row(shown, one["label"], f"{one['probability']:.1%}", following)
    out.print(table)
