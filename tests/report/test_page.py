"""The page is one file, whole, escaped, and says what the run found."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from run_by_hand import EVIL, run, study

from distillery.measurements import ColdStart, Measurement, RatePoint, ServerLoad
from distillery.nouns import Artifact, Checkpoint, Corpus, Decision, Findings
from distillery.report import page
from distillery.report.plots import accuracy_against_latency, accuracy_against_temperature
from distillery.report.sections import verdict
from distillery.report.sections.lineage import lineage

VOID = {"meta", "br", "img", "input", "link", "hr"}


class Reader(HTMLParser):
    """Counts what opens and closes, and keeps text, tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += " " + data


def read(findings: Findings) -> tuple[str, Reader]:
    html = page.render(findings)
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    reader.text = re.sub(r"\s+", " ", reader.text)
    return html, reader


@pytest.fixture(scope="module")
def promoted() -> tuple[str, Reader]:
    """The page of a run with a winner, drawn once."""
    return read(run())


@pytest.fixture(scope="module")
def not_promoted() -> tuple[str, Reader]:
    """The page of a run without one."""
    return read(run(promoted=False))


@pytest.mark.parametrize("which", ["promoted", "not_promoted"])
def test_it_is_whole_and_self_contained(which: str, request: pytest.FixtureRequest) -> None:
    html, reader = request.getfixturevalue(which)

    assert html.startswith("<!doctype html>")
    assert "script" not in {tag for tag, _ in reader.tags}
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in reader.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href", "action", "srcset"):
                assert value is not None
                assert value.startswith("#")
                assert value[1:] in ids
    links = set(re.findall(r"https?://[^\s\"'<]+", html))
    assert links <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_every_plot_has_words_and_every_table_headings(promoted: tuple[str, Reader]) -> None:
    _, reader = promoted

    drawn = [attributes for tag, attributes in reader.tags if tag == "svg"]
    assert len(drawn) == 4
    assert all(a["role"] == "img" and a["aria-label"] for a in drawn)
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("table") == tags.count("thead") == tags.count("caption")


def test_what_users_wrote_is_text(promoted: tuple[str, Reader]) -> None:
    html, reader = promoted

    assert EVIL not in html
    assert "img" not in {tag for tag, _ in reader.tags}
    assert f"name: by-hand # {EVIL}" in reader.text  # the recipe
    assert f"A description with {EVIL}" in reader.text
    # the label stands in the plot of classes and in the table of class balance
    assert reader.text.count(EVIL) >= 4
    assert "goodbye $x" in reader.text


def test_the_verdict_and_its_numbers_stand_at_the_top(promoted: tuple[str, Reader]) -> None:
    _, reader = promoted
    top = reader.text[: reader.text.index("Trade-off")]

    assert "student int8 is promoted" in top
    assert "Accuracy kept 88.89% ≥ 85.00%." in top
    assert "88.9% of the teacher's accuracy kept" in top
    assert "4.0× faster than the teacher" in top
    assert "4.0× smaller than the teacher" in top
    assert "+20.0 percentage points" in top
    assert "no clear effect: the 95% interval −10.0 to +50.0 includes 0" in top


def test_a_run_without_a_winner_says_so(not_promoted: tuple[str, Reader]) -> None:
    html, reader = not_promoted

    assert "<h1>Nothing was promoted</h1>" in html
    assert "It was not promoted." in reader.text
    assert "No version was registered." in reader.text
    assert "accuracy kept 88.89% is judged" in reader.text


def test_a_winner_that_does_not_serve_is_not_called_promoted() -> None:
    findings = run()
    decision = Decision(
        model=findings.model,
        version="2",
        outcome="refused",
        reasons=("it does not start",),
        requested_by="ann@desk",
        champion="1",
    )
    refused = findings.model_copy(update={"decision": decision})
    assert verdict.title(refused) == "student int8 passed, and does not serve"
    assert verdict.lede(refused) == (
        f"{findings.model} version 2 is refused: it does not start; champion is version 1."
    )
    assert verdict.tone(refused) == "nothing"


def test_a_champion_that_stays() -> None:
    findings = run()
    verdict = findings.verdict.model_copy(update={"champion_unchanged": True})
    html, _ = read(findings.model_copy(update={"verdict": verdict}))

    assert "<h1>student int8 remains champion</h1>" in html


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.3, "distillation helped"),
        (-0.3, -0.01, "distillation hurt"),
        (-0.1, 0.1, "no clear effect"),
        (0.0, 0.0, "no clear effect"),
    ],
)
def test_gains_are_told_honestly(low: float, high: float, words: str) -> None:
    findings = run()
    gain = findings.gains[0].model_copy(update={"interval_low": low, "interval_high": high})

    assert words in page.gain_in_words(gain)
    assert words in read(findings.model_copy(update={"gains": (gain,)}))[1].text


def test_too_few_samples_are_a_dash_and_no_number() -> None:
    findings = run(requests=6)
    _, reader = read(findings)

    assert "2.00 ms" not in reader.text
    assert "No candidate was measured, so there is nothing to plot." in reader.text
    assert "faster than the teacher" not in reader.text
    assert accuracy_against_latency.svg(findings) is None
    assert accuracy_against_latency.png(findings).startswith(b"\x89PNG")


def test_a_run_that_measured_and_trained_nothing_still_has_a_page() -> None:
    findings = run(promoted=False)
    bare = findings.model_copy(
        update={
            "teachers": (findings.teachers[0].model_copy(update={"history": ()}),),
            "students": (),
            "controls": (),
            "candidates": findings.candidates[2:],
            "qualities": findings.qualities[:1],
            "measurements": (),
            "gains": (),
            "gates": {},
        }
    )
    _, reader = read(bare)

    assert "svg" not in {tag for tag, _ in reader.tags}
    assert "this run cannot say what distillation brought" in reader.text
    assert "The recipe sets no gates." in reader.text


def test_many_classes_are_folded_away(promoted: tuple[str, Reader]) -> None:
    findings = run()
    names = tuple(f"class {i}" for i in range(31))
    counts = {
        split: getattr(findings.dataset, split).model_copy(update={"label_counts": (4,) * 31})
        for split in ("train", "validation", "test")
    }
    dataset = findings.dataset.model_copy(update={"label_names": names, **counts})
    html, _ = read(findings.model_copy(update={"dataset": dataset}))

    assert "<summary>Balance of the 31 classes" in html
    assert "<summary>Balance" not in promoted[0]


def test_lineage_leads_from_recipe_to_version(promoted: tuple[str, Reader]) -> None:
    _, reader = promoted
    told = reader.text[reader.text.index("came to be") :]

    stations = ["by-hand", "greetings", "teacher", "student", "student int8", "by-hand, version 7"]
    places = [told.index(f" {station} ") for station in stations]
    assert places == sorted(places)
    assert "aliases: champion" in told
    for letter in "rdtsi":
        assert letter * 12 in told


def test_equal_findings_make_an_equal_page(promoted: tuple[str, Reader]) -> None:
    assert page.render(run()) == promoted[0]


def test_it_is_written_at_once_or_not_at_all(
    promoted: tuple[str, Reader], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "reports" / "page.html"
    page.write(run(), target)
    before = target.read_text(encoding="utf-8")
    assert before == promoted[0]

    def full_disk(self: Path, text: str, encoding: str) -> int:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="no space left"):
        page.write(run(promoted=False), target)

    assert target.read_text(encoding="utf-8") == before
    assert [path.name for path in target.parent.iterdir()] == ["page.html"]


def test_lineage_tells_of_general_distillation_and_of_a_head_trained_for_it(
    tmp_path: Path,
) -> None:
    findings = run()
    student = findings.students[0]
    start = student.model_copy(
        update={"name": "student-general", "artifact": _artifact(student, "start")}
    )
    head = student.model_copy(
        update={"name": "language-model", "artifact": _artifact(student, "head")}
    )
    told = findings.model_copy(
        update={
            "corpus": Corpus(
                artifact=_artifact(student, "corpus"),
                rows=1234,
                is_pair=False,
                origin="1,234 of masked_words",
            ),
            "language_model": head,
            "starts": (start,),
            "students": (student.model_copy(update={"parent_digest": start.digest}),),
        }
    )
    page.write(told, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for said in ("1,234 texts", "1,234 of masked_words", "student-general", "the encoder frozen"):
        assert said in text, said


def test_lineage_counts_images_as_images() -> None:
    findings = run()
    corpus = Corpus(
        artifact=_artifact(findings.students[0], "corpus"),
        rows=1234,
        is_pair=False,
        image_shape=(8, 8, 1),
        origin="1,234 of shifted_images",
    )
    of_images = findings.dataset.model_copy(update={"image_shape": (8, 8, 1)})
    told = findings.model_copy(update={"corpus": corpus, "dataset": of_images})
    assert "1,234 images" in {step.name for step in lineage(told, None)}


def _artifact(of: Checkpoint, digest: str) -> Artifact:
    return of.artifact.model_copy(update={"digest": digest * 8})


def test_its_policy_shows_pictures_of_its_own_and_fetches_nothing(tmp_path: Path) -> None:
    """A tree's filters are data: images; without img-src a browser draws broken ones."""
    page.write(run(), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
    }


# a temperature study


def test_a_temperature_study_has_a_section_and_others_have_none(
    promoted: tuple[str, Reader],
) -> None:
    assert 'id="temperature' not in promoted[0]
    html, reader = read(run().model_copy(update={"temperature_study": study()}))

    section = html[html.index('<section id="temperature"') : html.index('<section id="training"')]
    assert section.count("<svg") == 1
    assert 'aria-label="Mean validation and test accuracy by temperature.' in section
    assert "soft targets at T=2, CE share 0: 85.0% and 75.0%" in section
    (marked,) = re.findall(r'<tr class="winner">.*?</tr>', section)
    assert "<td>2</td><td>0</td><td>85.0% (80.0 to 90.0)</td>" in marked
    assert "Means over 2 seeds" in reader.text
    assert "A choice is made on validation" in reader.text
    # 1.96 · √(0.7 · 0.3 / 10), around the mean of the six test accuracies, 0.708
    assert "±28.2 on test (95%)" in reader.text
    assert "half the mean of (s − t)² over the classes" in reader.text


def test_a_study_of_one_seed_without_a_control_says_so() -> None:
    whole = study()
    alone = whole.model_copy(
        update={
            "variants": tuple(one for one in whole.variants if one.seed == 0),
            "limits": tuple(one for one in whole.limits if one.seed == 0),
            "controls": (),
        }
    )
    _, reader = read(run().model_copy(update={"temperature_study": alone}))
    assert "One seed: another would move every point." in reader.text
    assert "Dotted: the control" not in reader.text
    assert accuracy_against_temperature.png(alone).startswith(b"\x89PNG")


def test_what_the_recipe_did_not_measure_has_no_section(promoted: tuple[str, Reader]) -> None:
    _, reader = promoted
    ids = {attributes.get("id") for tag, attributes in reader.tags if tag == "section"}
    assert not ids & {"paddings", "throughput", "rates", "cold"}


def test_every_scenario_that_the_recipe_measured_is_shown() -> None:
    findings = run(requests=700)

    def more(measured: Measurement) -> Measurement:
        (stream,), (batches,) = measured.single_stream, measured.offline
        quick, slow = measured.latencies_ms, tuple(3 * ms for ms in measured.latencies_ms)
        fields = {
            "single_stream": (stream, stream.model_copy(update={"padding": "max_length"})),
            "offline": (
                batches,
                batches.model_copy(update={"batch_size": 8, "rows_per_second": (1234.0,) * 3}),
                batches.model_copy(update={"padding": "max_length"}),
            ),
            "server": ServerLoad(
                p99_objective_ms=10,
                points=(
                    RatePoint(rate_per_second=321, latencies_ms=quick),
                    RatePoint(rate_per_second=654, latencies_ms=slow),
                ),
            ),
            "cold_starts": (ColdStart(process_ms=90, load_ms=30, first_prediction_ms=3),),
        }
        return measured.model_copy(update=fields)

    measurements = tuple(more(measured) for measured in findings.measurements)
    html, reader = read(findings.model_copy(update={"measurements": measurements}))
    ids = [attributes.get("id") for tag, attributes in reader.tags if tag == "section"]
    shown = ["paddings", "throughput", "rates", "cold"]
    assert [one for one in ids if one in shown] == shown
    links = [attributes.get("href") for tag, attributes in reader.tags if tag == "a"]
    assert {f"#{one}" for one in shown} <= set(links)
    # the teacher stands before the student, as in the table of results
    cells = re.findall(r"student int8 max length 2.00 ms 2.00 ms 2.00 ms 100", reader.text)
    assert len(cells) == 1
    assert "student int8 longest of batch 2.00 ms 2.00 ms 2.00 ms 1,234" in reader.text
    assert "student int8 321 2.00 ms 2.00 ms 2.00 ms 700 holds" in reader.text
    assert "teacher pytorch 654 24.0 ms 24.0 ms 24.0 ms 700 not sure to hold" in reader.text
    assert "student int8 90.0 ms 30.0 ms 3.00 ms 123 ms" in reader.text
    assert "teacher pytorch: the objective holds up to 321 requests a second" in html


def test_each_step_of_an_export_stands_once() -> None:
    """What int8 was made from has its own rows; a step that failed is told with its candidate."""
    findings = run()
    int8 = next(candidate for candidate in findings.candidates if candidate.parities)
    (own,) = int8.parities
    fused = own.model_copy(update={"step": "fusion", "against": "the graph before"})
    broken = own.model_copy(update={"step": "embedding tables", "failure": "tables broke it"})
    source = int8.model_copy(
        update={
            "name": "its fp32",
            "artifact": int8.artifact.model_copy(update={"digest": "its-source"}),
            "parities": (fused,),
        }
    )
    made = int8.model_copy(update={"parities": (fused, broken), "parent_digest": source.digest})
    others = [one for one in findings.candidates if one.name != int8.name]
    html, _ = read(findings.model_copy(update={"candidates": (*others, source, made)}))
    section = html.split('id="export"')[1].split("</section>")[0]
    assert section.count("the graph before") == 1
    assert section.count("embedding tables") == 1
    assert f"{made.name}</b>: tables broke it" in section
