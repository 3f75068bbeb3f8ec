"""distillery's export beside other tools', on the same fine-tuned checkpoints.

    python -m benchmarks.peers.compare NAME=CHECKPOINT... --data DATA [--threads 1 2]

CHECKPOINT is a folder of ``BertForSequenceClassification`` (safetensors and tokenizer.json), DATA
one with CLINC150 (``clinc/clinc_oos``, ``plus``) as Parquet. Each tool makes its graph once, in an
environment of its own; ours are made anew. Then all forms of a checkpoint are timed in one
interleaved benchmark over the test texts, and asked for every test row. With several ``--threads``
each form is timed with each, and stands with what suits it best: p50 with one number of threads,
rows a second perhaps with another.

Results go to ``results/``. On a machine that others use too, ``--real-time`` lets nobody else run
on its cores while it measures (as root); ``taskset -c 0`` before the command says which.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.peers import ours, tools
from benchmarks.peers.results import (
    Model,
    Results,
    Row,
    Side,
    against,
    as_markdown,
    most_accurate,
    quickest,
)
from distillery import storage
from distillery.benchmarking.comparison import Compared
from distillery.benchmarking.fingerprint import fingerprint
from distillery.benchmarking.percentiles import bootstrap_ratio_interval, percentile
from distillery.data import preparation
from distillery.data.rows import Rows
from distillery.evaluation import gain, macro_f1
from distillery.measurements import Measurement, Offline, Scenario
from distillery.nouns import Candidate, Checkpoint, Quality
from distillery.provenance import code_version
from distillery.recipe import Data
from distillery.report import samples
from distillery.runtimes.opening import open_engine
from distillery.search.outcome import called
from distillery.subjects.finding import Subject, find
from distillery.targets.this_machine import ThisMachine

_ROUNDS = 20
_PRIORITY = 20  # of 1 to 99: above all that is not real-time
_OFFLINE = Offline(batch_sizes=(1, 2, 4, 8, 16, 32), batches=20)


@dataclass(frozen=True, kw_only=True)
class Form:
    """One tool's form of a checkpoint."""

    tool: str
    side: Side
    subject: Subject


_Found = tuple[Form, Sequence[Measurement], Quality]
"""Measured with each number of threads."""


def main() -> None:
    """Make, measure, write, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", nargs="+", metavar="NAME=CHECKPOINT")
    parser.add_argument("--data", required=True)
    parser.add_argument("--label", default="intent")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--real-time", action="store_true")
    parser.add_argument("--results", type=Path, default=tools.HERE / "results")
    asked = parser.parse_args()

    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    splits = preparation.load(Data(source=asked.data, label=asked.label))
    scenario = Scenario(requests=asked.requests, rounds=_ROUNDS, offline=_OFFLINE)
    models: list[Model] = []
    raw: list[Measurement] = []
    for name, folder in (one.split("=", 1) for one in asked.checkpoints):
        checkpoint = ours.checkpoint_of(name, Path(folder), asked.max_length)
        forms, failures = _forms(checkpoint, Path(folder), splits)
        with _real_time() if asked.real_time else nullcontext():
            measurements = ThisMachine().measure(
                [
                    replace(form.subject.entry, name=called(form.tool, threads), threads=threads)
                    for form in forms
                    for threads in asked.threads
                ],
                splits.test.texts,
                scenario,
                asked.threads[0],
            )
        many = len(asked.threads)
        timed = [measurements[i : i + many] for i in range(0, len(measurements), many)]
        qualities = [_quality(form, checkpoint.label_names, splits.test) for form in forms]
        found = list(zip(forms, timed, qualities, strict=True))
        models.append(_model(checkpoint, found, failures))
        raw += [
            one.model_copy(update={"candidate_name": f"{name}: {one.candidate_name}"})
            for one in measurements
        ]
    results = Results(
        started_at=started_at,
        code_version=code_version(),
        fingerprint=fingerprint(),
        threads=tuple(asked.threads),
        requests=asked.requests,
        versions={tool.name: tools.versions(tool) for tool in tools.TOOLS},
        models=tuple(models),
    )
    _write(results, raw, asked.results)
    print(as_markdown(results))


@contextmanager
def _real_time() -> Iterator[None]:
    """Processes started meanwhile come before all others; they may take 95 % of each second."""
    before = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    try:
        yield
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))


def _forms(
    checkpoint: Checkpoint, folder: Path, splits: preparation.Splits
) -> tuple[list[Form], dict[str, str]]:
    """All forms, and why some tools made none."""
    tokens = checkpoint.max_length
    reference = ours.reference(checkpoint)
    forms = [Form(tool="PyTorch", side="reference", subject=_found(reference, tokens))]
    failures = {}
    for tool in tools.TOOLS:
        try:
            graph = tools.made(tool, folder) / "model.onnx"
        except tools.PeerError as error:
            failures[tool.name] = str(error)
            continue
        forms.append(Form(tool=tool.name, side="peer", subject=find(str(graph), tokens)))
    own = ours.made(checkpoint, splits.train.texts, splits.validation.texts)
    for name, candidate in own.items():
        forms.append(Form(tool=name, side="ours", subject=_found(candidate, tokens)))
    return forms, failures


def _found(candidate: Candidate, tokens: int) -> Subject:
    return find(str(storage.fetch(candidate.artifact)), tokens)


def _quality(form: Form, label_names: Sequence[str], test: Rows) -> Quality:
    """Each text by itself, as in single stream."""
    engine = open_engine(form.subject.folder, form.subject.runtime, threads=1)
    predictions = [int(engine.logits(engine.encode([text]))[0].argmax()) for text in test.texts]
    labels = [label_names.index(name) for name in test.names]
    right = np.array(predictions) == np.array(labels)
    return Quality(
        candidate_name=form.tool,
        candidate_digest=form.subject.digest,
        dataset_digest="",
        accuracy=float(right.mean()),
        macro_f1=macro_f1(np.array(predictions), np.array(labels), len(label_names)),
        rows=len(test),
        predictions=tuple(predictions),
        labels=tuple(labels),
    )


def _model(checkpoint: Checkpoint, found: Sequence[_Found], failures: dict[str, str]) -> Model:
    _, _, reference = found[0]
    quickly = {form.tool: _quickest(measurements) for form, measurements, _ in found}
    qualities = {form.tool: quality for form, _, quality in found}
    rows = [_row(*one, reference) for one in found]
    peers = [row for row in rows if row.side == "peer"]
    quick, right = quickest(peers).tool, most_accurate(peers).tool
    return Model(
        name=checkpoint.name,
        checkpoint_digest=checkpoint.digest,
        rows=tuple(rows),
        against=tuple(
            against(
                row,
                peers,
                _compared(row.tool, quickly[row.tool], quick, quickly[quick]),
                gain(row.tool, [qualities[row.tool]], [qualities[right]]),
            )
            for row in rows
            if row.side == "ours"
        ),
        failures=failures,
        noise=found[0][1][0].noise,
    )


def _quickest(measurements: Sequence[Measurement]) -> Measurement:
    return min(measurements, key=lambda one: median(one.latencies_ms))


def _compared(tool: str, ours: Measurement, peer: str, theirs: Measurement) -> Compared:
    """Each with the threads that suit it, in the same rounds."""
    low, high = bootstrap_ratio_interval(ours.latencies_ms, theirs.latencies_ms, seed=0)
    return Compared(
        target=ours.target,
        candidate_name=tool,
        reference_name=peer,
        ratio=median(ours.latencies_ms) / median(theirs.latencies_ms),
        interval_low=low,
        interval_high=high,
    )


def _row(
    form: Form, measurements: Sequence[Measurement], quality: Quality, reference: Quality
) -> Row:
    measurement = _quickest(measurements)
    p50 = percentile(measurement.latencies_ms, 0.50)
    assert p50 is not None, "a scenario has at least 100 requests"
    best, best_threads = max(
        ((batches, one.threads) for one in measurements for batches in one.offline),
        key=lambda pair: median(pair[0].rows_per_second),
    )
    flips = np.array(quality.predictions) != np.array(reference.predictions)
    return Row(
        tool=form.tool,
        side=form.side,
        size_bytes=form.subject.size_bytes,
        accuracy=quality.merit,
        flip_rate=float(flips.mean()),
        p50_ms=p50.value,
        p50_low_ms=p50.low,
        p50_high_ms=p50.high,
        model_p50_ms=median(measurement.model_latencies_ms),
        p50_threads=measurement.threads,
        rows_per_second=median(best.rows_per_second),
        batch_size=best.batch_size,
        batch_threads=best_threads,
    )


def _write(results: Results, raw: Sequence[Measurement], folder: Path) -> None:
    """The results, their tables, and every raw sample."""
    folder.mkdir(parents=True, exist_ok=True)
    threads = "-".join(str(one) for one in results.threads)
    name = f"threads-{threads}-{results.fingerprint.digest}"
    document = results.model_dump_json(indent=1) + "\n"
    (folder / f"{name}.json").write_text(document, encoding="utf-8")
    (folder / f"{name}.md").write_text(as_markdown(results), encoding="utf-8")
    samples.write(raw, folder / f"{name}.parquet")


if __name__ == "__main__":
    main()
