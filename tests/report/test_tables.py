"""What Markdown and terminals show of the run by hand."""

from io import StringIO

import pytest
from rich.console import Console
from run_by_hand import run

from distillery.nouns import Findings
from distillery.report import tables
from distillery.report.results import result_rows


@pytest.fixture
def findings() -> Findings:
    return run()


def test_markdown_has_human_units_and_no_stray_cell(findings: Findings) -> None:
    evil = findings.candidates[1].model_copy(update={"name": "a|b <i>"})
    with_evil = findings.model_copy(update={"candidates": (*findings.candidates, evil)})
    lines = tables.as_markdown(result_rows(with_evil)).splitlines()
    student = next(line for line in lines if line.startswith("| student int8 "))

    assert "88.9%" in student
    assert "2.00 ms" in student
    assert "1.0 MB" in student
    assert "4.0×" in student
    assert "**winner**" in student
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "a\\|b &lt;i>" in "\n".join(lines)


def test_the_terminal_table_fits_100_columns_and_reads_no_markup(findings: Findings) -> None:
    marked_up = findings.candidates[1].model_copy(update={"name": "six-layers [red]int8"})
    rows = result_rows(
        findings.model_copy(update={"candidates": (*findings.candidates, marked_up)})
    )
    for width in (80, 100):
        console = Console(width=width, record=True, file=StringIO())
        console.print(tables.rich_table(rows, width=width))
        text = console.export_text()

        assert max(map(len, text.splitlines())) <= width
        assert "six-layers [red]" in text
        assert "winner" in text
        assert "not judged" in text
        assert "2.00 ms" in text
        for heading in ("candidate", "accuracy", "kept", "p50", "p95", "speed-up", "verdict"):
            assert heading in text
        assert ("rows/s" in text) == (width == 100)  # a narrow terminal leaves it to the report
