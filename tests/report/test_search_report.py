"""A search by hand, as rows, words, a table, and a section of the page."""

from io import StringIO

import pytest
from factories import make_candidate, make_measurement
from rich.console import Console
from run_by_hand import EVIL, run

from distillery.report import page, search
from distillery.search.outcome import Best, Searched, Trial


def _trial(name: str, threads: int, p50_ms: float, why_not: str | None = None) -> Trial:
    return Trial(
        candidate_name=name,
        candidate_digest=name,
        threads=threads,
        p50_ms=p50_ms,
        rows_per_second=100.0,
        reused=threads == 2,
        why_not_latency=why_not,
        why_not_throughput=why_not,
    )


def _searched() -> Searched:
    student = make_candidate("student int8")
    alone = make_measurement(student, latency_ms=2.0)
    together = make_measurement(student, latency_ms=2.5, instances=2)
    best = {"candidate_name": "student int8", "candidate_digest": "i", "threads": 1}
    return Searched(
        target="cpu",
        cores=2,
        trials=(
            _trial("student int8", 1, 2.1),
            _trial("student int8", 2, 4.1, f"{EVIL} is 2.00× as fast"),
        ),
        measurements=(together, alone),
        chosen=(1,),
        best=(
            Best(goal="latency", instances=1, p50_ms=2.0, rows_per_second=500.0, ties=(), **best),
            Best(
                goal="throughput",
                instances=2,
                p50_ms=2.5,
                rows_per_second=800.0,
                ties=("student int8, 1 thread",),
                **best,
            ),
        ),
        set_aside={},
    )


def test_in_full_by_latency_then_what_was_set_aside_and_why() -> None:
    rows = search.search_rows(_searched())
    assert [(row.threads, row.instances, row.in_full) for row in rows] == [
        (1, 1, True),
        (1, 2, True),
        (2, 1, False),
    ]
    assert [row.best for row in rows] == [("latency",), ("throughput",), ()]
    assert rows[2].outcome == f"{EVIL} is 2.00× as fast"
    assert (rows[2].p50_ms, rows[2].p95_ms) == (4.1, None)


def test_in_words() -> None:
    assert search.best_in_words(_searched()) == [
        "Lowest latency under the gates: student int8, 1 thread (p50 2.00 ms).",
        "Highest throughput under the gates: student int8, 2 instances of 1 thread (800 rows/s; "
        "not told from it: student int8, 1 thread).",
    ]
    assert search.screened_in_words(_searched()) == (
        "2 configurations screened on cpu (2 cores), 1 of them kept from earlier runs; 1 set "
        "aside, 2 measured in full, side by side."
    )
    none = _searched().model_copy(update={"best": ()})
    assert search.best_in_words(none) == ["No configuration passed the gates."]


def test_the_table_fits_a_narrow_terminal() -> None:
    out = StringIO()
    Console(file=out, width=80).print(search.search_table(search.search_rows(_searched())))
    lines = out.getvalue().splitlines()
    assert [line.split()[-1] for line in lines] == ["for", "latency", "throughput"]
    assert max(map(len, lines)) <= 80


def test_the_document_says_which_measurement_is_judged() -> None:
    found = search.document(_searched())
    assert [(one["instances"], one["judged"]) for one in found["measured"]] == [
        (2, False),
        (1, True),
    ]
    assert [one["set_aside"] for one in found["trials"]] == [False, True]


@pytest.mark.parametrize("asked", [True, False])
def test_the_page_has_the_section_where_there_was_a_search(asked: bool) -> None:
    findings = run().model_copy(update={"searched": _searched() if asked else None})
    html = page.render(findings)
    assert ('id="search"' in html) == ('href="#search"' in html) == asked
    assert ("2 instances of 1 thread (800 rows/s" in html) == asked
    assert EVIL not in html, "escaped"
