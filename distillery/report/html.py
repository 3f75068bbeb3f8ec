"""What all pages are made with: templates, filters, and files that are whole or not there."""

import os
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from distillery.report import units


def environment() -> Environment:
    """The templates of this folder; numbers are written as people read them."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": units.percent,
        "milliseconds": units.milliseconds,
        "size": units.size,
        "count": units.count,
        "times": units.times,
        "decimal": units.decimal,
        "dollars": units.dollars,
    }
    return made


def drawn(svg: str | None) -> Markup | None:
    """Matplotlib has escaped what stands in it."""
    return None if svg is None else Markup(svg)  # noqa: S704


def write(text: str, path: Path) -> None:
    """The whole of it, or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
