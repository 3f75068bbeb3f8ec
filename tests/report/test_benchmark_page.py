"""The report of a benchmark: the page, the table, the JSON, over numbers made by hand."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from factories import HERE, make_candidate, make_measurement
from rich.console import Console
from test_page import Reader

from distillery.benchmarking.comparison import beside_the_first
from distillery.measurements import Measurement, Scenario, Server, Skipped
from distillery.report.benchmark import page, tables
from distillery.report.benchmark.document import document
from distillery.report.benchmark.rows import model_rows
from distillery.subjects.asking import Asked
from distillery.subjects.finding import Subject
from distillery.subjects.findings import BenchmarkFindings

_OBJECTIVE_MS = 10.0
_NAMES = ("a <b>", "b")
_PARTS = ("results", "latency", "pareto", "throughput", "rates", "cold")


def _offline(batch_size: int, rate: float) -> dict[str, Any]:
    return {
        "padding": "longest_of_batch",
        "batch_size": batch_size,
        "rows_per_second": (rate, 10 * rate, rate),
        "model_rows_per_second": (2 * rate,) * 3,
    }


def _measurements(**overrides: Any) -> tuple[Measurement, ...]:
    return tuple(
        make_measurement(
            make_candidate(name),
            requests=200,
            offline=(_offline(1, 100.0), _offline(8, 300.0)),
            server={
                "p99_objective_ms": _OBJECTIVE_MS,
                "points": (
                    {"rate_per_second": 200.0, "latencies_ms": (3 * latency_ms,) * 700},
                    {"rate_per_second": 300.0, "latencies_ms": (50.0,) * 700},
                ),
            },
            cold_starts=tuple(
                {"process_ms": 100.0 + i, "load_ms": 20.0, "first_prediction_ms": 3.0}
                for i in (0, 9, 1)
            ),
            **({"latency_ms": latency_ms} | overrides),
        )
        for name, latency_ms in zip(_NAMES, (2.0, 4.0), strict=True)
    )


def _findings(**overrides: Any) -> BenchmarkFindings:
    """B takes twice as long as A; A holds 200 requests a second, B none."""
    measurements = _measurements(**overrides)
    return BenchmarkFindings(
        asked=Asked(models=_NAMES, scenario=Scenario(server=Server(p99_objective_ms=10))),
        subjects=tuple(
            Subject(
                name=name,
                digest=f"digest-of-{name}",
                folder=Path(name),
                runtime="onnxruntime",
                size_bytes=1_200_000,
            )
            for name in _NAMES
        ),
        examples_are="random ids of 8 tokens",
        measurements=measurements,
        comparisons=beside_the_first(measurements),
        flow_run_id="00000000",
        started_at="2025-01-02T03:04:05Z",
        code_version="0.2.0",
    )


def test_rows() -> None:
    first, second = model_rows(_findings())
    assert first.cells == {
        "p50": "2.00 ms",
        "p95": "2.00 ms",
        "p99": "–",
        "model p50": "1.80 ms",
        "rows/s": "300",
        "requests/s": "200",
        "cold start": "124 ms",
        "size": "1.2 MB",
        "accuracy": "–",
        "Spearman ρ": "–",
    }
    assert second.cells["requests/s"] == "none"
    assert first.verdict == "reference"
    assert second.verdict == "slower, 2.00× (2.00 to 2.00)"


def test_the_document_is_json_with_bounds_and_without_guesses() -> None:
    found = json.loads(json.dumps(document(_findings())))
    first, second = found["models"]
    (stream,) = first["single_stream"]
    assert stream["end_to_end"]["p95_ms"] == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert stream["end_to_end"]["p99_ms"] is None, "of 200 requests nobody can tell"
    assert [row["rows_per_second"] for row in first["offline"]] == [100, 300]
    assert first["server"]["highest_rate_per_second"] == 200
    assert [point["holds"] for point in first["server"]["points"]] == [True, False]
    assert second["server"]["highest_rate_per_second"] is None
    assert first["cold_starts"][1]["total_ms"] == 132
    assert found["comparisons"][0]["verdict"] == "slower"
    assert found["targets"][0]["noise"]["reasons"] == []
    assert [place["target"] for place in found["targets"]] == ["cpu"]


def _read(findings: BenchmarkFindings) -> Reader:
    reader = Reader()
    reader.feed(page.render(findings))
    reader.close()
    assert reader.open == []
    reader.text = " ".join(reader.text.split())
    return reader


def test_the_page_is_whole_and_escaped() -> None:
    reader = _read(_findings())
    sections = [attrs["id"] for tag, attrs in reader.tags if tag == "section"]
    assert sections == ["results", "latency", "pareto", "throughput", "rates", "cold", "place"]
    assert sum(tag == "svg" for tag, _ in reader.tags) == 4
    assert "a <b>" in reader.text
    assert "p99 stays within 10.0 ms" in reader.text
    assert "quiet" in reader.text
    assert not [tag for tag, attrs in reader.tags if tag == "script" or attrs.get("src")]


def _on_two_targets() -> BenchmarkFindings:
    """On the GPU there is b alone, ten times as quick as on the CPU; a cannot run there."""
    on_gpu = _measurements(
        target="cuda",
        latency_ms=0.4,
        fingerprint=HERE.model_copy(update={"gpu": "a GPU, driver 1"}),
    )[1]
    findings = _findings()
    measurements = (*findings.measurements, on_gpu)
    return findings.model_copy(
        update={
            "measurements": measurements,
            "comparisons": beside_the_first(measurements),
            "skipped": (Skipped(models=("a <b>",), target="cuda", why="no <such> thing"),),
        }
    )


def test_targets_stand_apart_and_are_never_compared() -> None:
    rows = model_rows(_on_two_targets())
    assert [(row.target, row.model, row.verdict) for row in rows] == [
        ("cpu", "a <b>", "reference"),
        ("cpu", "b", "slower, 2.00× (2.00 to 2.00)"),
        ("cuda", "b", "reference"),
    ]
    found = json.loads(json.dumps(document(_on_two_targets())))
    assert [model["target"] for model in found["models"]] == ["cpu", "cpu", "cuda"]
    assert [one["target"] for one in found["comparisons"]] == ["cpu"]
    assert [place["fingerprint"]["gpu"] for place in found["targets"]] == [None, "a GPU, driver 1"]
    assert found["fronts"] == [{"target": "cpu", "against": "size_bytes", "best": ["a <b>"]}]
    assert found["skipped"][0]["why"] == "no <such> thing"
    markdown = tables.as_markdown(rows)
    assert markdown.count("| model on cpu |") == markdown.count("| model on cuda |") == 1


def test_each_target_has_its_own_part_of_the_page() -> None:
    reader = _read(_on_two_targets())
    sections = [str(attrs["id"]) for tag, attrs in reader.tags if tag == "section"]
    assert sections == [
        *(f"cpu-{part}" for part in _PARTS),
        # a model alone is no trade-off
        *(f"cuda-{part}" for part in _PARTS if part != "pareto"),
        "place",
    ]
    ids = [attrs["id"] for _, attrs in reader.tags if attrs.get("id")]
    assert len(ids) == len(set(ids)), "no plot borrows another's marks"
    assert "Results on cuda" in reader.text
    assert "Not measured: a <b> cannot run on cuda: no <such> thing." in reader.text
    assert "a GPU, driver 1" in reader.text
    assert "They must not be compared with each other." in reader.text


def test_a_noisy_machine_is_said() -> None:
    noisy = {"steal_share": 0.05, "frequency_drift": None, "calibration_drift": 0.0}
    reader = _read(_findings(noise=noisy))
    assert "The machine was not quiet: cpu: the hypervisor took 5.0% of CPU time." in reader.text


@pytest.mark.parametrize(
    "render", [tables.as_markdown, lambda rows: tables.rich_tables(rows, width=200)]
)
def test_tables_leave_out_what_was_not_asked_for(render: Any) -> None:
    plain = _findings()
    without = plain.model_copy(
        update={
            "measurements": tuple(
                m.model_copy(update={"server": None, "cold_starts": ()}) for m in plain.measurements
            )
        }
    )
    console = Console(width=200, record=True, file=io.StringIO())
    texts = []
    for findings in (plain, without):
        console.print(render(model_rows(findings)))
        texts.append(console.export_text(clear=True))
    assert "requests/s" in texts[0]
    assert "cold start" in texts[0]
    assert "requests/s" not in texts[1]
    assert "cold start" not in texts[1]
    assert "2.00 ms" in texts[1]


def test_a_narrow_terminal_shows_verdicts_whole() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(tables.rich_tables(model_rows(_findings()), width=100))
    lines = console.export_text()
    assert "slower, 2.00×" in lines
    assert "requests/s" in lines
    assert "p95" not in lines
