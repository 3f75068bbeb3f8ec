"""Measures engines against each other: one process each, in turns, never two at once.

Sequential runs of equal graphs have differed twofold, so rounds are interleaved in random order and
every engine answers the same texts in the same round. This process only waits, blocked in a read:
a parent that polls has been seen to add two thirds to a median.
"""

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from distillery.benchmarking.fingerprint import available_cores, fingerprint
from distillery.benchmarking.noise import look, noise
from distillery.benchmarking.plan import Entry
from distillery.benchmarking.process import WorkerProcess
from distillery.benchmarking.rounds import Progress, Samples, Turns, draw
from distillery.measurements import Measurement, Scenario
from distillery.runtimes import images
from distillery.runtimes.base import Example
from distillery.runtimes.images import Image

_WARM_UP_ROWS = 20


def measure(
    entries: Sequence[Entry],
    texts: Sequence[Example],
    scenario: Scenario,
    threads: int,
    target_name: str,
    progress: Progress | None = None,
) -> list[Measurement]:
    """One measurement an entry, in their order.

    ``texts`` are real inputs (or images), from which the same random ones go to every engine:
    sample i of one measurement and sample i of another answer the same text in the same round.
    ``threads`` are intra-op threads for each engine; 0 means one a physical core, and what it came
    to is recorded.

    Raises ``BenchmarkProcessError`` where a worker dies or cannot open its candidate, and
    ``ValueError`` where there is nothing to measure. No process is left behind either way.
    """
    if not entries or not texts:
        raise ValueError("a benchmark needs at least one entry and one text")
    say = progress or (lambda line: None)
    threads = threads or available_cores()
    place = fingerprint(on_gpu=any(entry.device == "cuda" for entry in entries))
    rng = np.random.default_rng(scenario.seed)
    samples = [Samples() for _ in entries]
    warm_rows = draw(rng, len(texts), _WARM_UP_ROWS).tolist()
    padding = scenario.paddings[0]
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        texts_file = written(texts, work, "texts")
        say(f"starting {len(entries)} engines, {threads} threads each")
        workers = [
            stack.enter_context(WorkerProcess(entry, threads, work / f"stderr-{i}"))
            for i, entry in enumerate(entries)
        ]
        for worker in workers:  # all at once: nothing is timed yet
            worker.send("read", texts=str(texts_file))
            worker.send("rehearse", **worker.opening)
        for worker in workers:
            worker.receive()
            worker.receive()
        for worker, found in zip(workers, samples, strict=True):
            opened = worker.ask("open", **worker.opening, row=warm_rows[0])
            found.load_ms = opened["load_ms"]
            found.first_prediction_ms = opened["first_prediction_ms"]
        for worker, found in zip(workers, samples, strict=True):
            warm = worker.ask("warm_up", rows=warm_rows, padding=padding)
            found.warmup_requests = warm["requests"]

        turns = Turns(
            workers=workers, samples=samples, scenario=scenario, texts=len(texts), rng=rng, say=say
        )
        looks = [look()]
        turns.single()
        looks.append(look())
        turns.offline()
        looks.append(look())
        if scenario.server is not None:
            turns.server(scenario.server)
            looks.append(look())
        if scenario.cold_starts:
            example = written([texts[warm_rows[0]]], work, "example")
            turns.cold(entries, threads, example, work)
            looks.append(look())
        for worker, found in zip(workers, samples, strict=True):
            found.peak_memory_bytes = worker.ask("status")["peak_memory_bytes"]
    return [
        Measurement(
            candidate_name=entry.name,
            candidate_digest=entry.digest,
            target=target_name,
            fingerprint=place,
            threads=threads,
            single_stream=found.single_stream(),
            offline=found.offline_batches(),
            server=found.server_load(scenario.server),
            cold_starts=tuple(found.cold_starts),
            load_ms=found.load_ms,
            first_prediction_ms=found.first_prediction_ms,
            peak_memory_bytes=found.peak_memory_bytes,
            warmup_requests=found.warmup_requests,
            noise=noise(looks),
        )
        for entry, found in zip(entries, samples, strict=True)
    ]


def written(examples: Sequence[Example], work: Path, name: str) -> Path:
    """The file that workers read them from."""
    pixels = [example for example in examples if isinstance(example, Image)]
    if pixels:
        images.write(pixels, work / f"{name}.npy")
        return work / f"{name}.npy"
    (work / f"{name}.json").write_text(json.dumps(list(examples)), encoding="utf-8")
    return work / f"{name}.json"
