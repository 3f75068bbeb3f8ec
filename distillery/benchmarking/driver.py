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

from distillery.benchmarking import pinning
from distillery.benchmarking.fingerprint import cores, fingerprint
from distillery.benchmarking.instances import Instances
from distillery.benchmarking.noise import look, noise
from distillery.benchmarking.plan import Entry
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
    ``threads`` are intra-op threads for each engine whose entry names none; 0 means one a physical
    core, and what it came to is recorded, as are the CPUs that the engine was pinned to.

    Raises ``BenchmarkProcessError`` where a worker dies or cannot open its candidate, and
    ``ValueError`` where there is nothing to measure, or instances do not fit side by side. No
    process is left behind either way.
    """
    if not entries or not texts:
        raise ValueError("a benchmark needs at least one entry and one text")
    say = progress or (lambda line: None)
    own_cores = cores()
    threads_of = [_threads(entry, threads) or len(own_cores) for entry in entries]
    place = fingerprint(on_gpu=any(entry.device == "cuda" for entry in entries))
    rng = np.random.default_rng(scenario.seed)
    samples = [Samples() for _ in entries]
    warm_rows = draw(rng, len(texts), _WARM_UP_ROWS).tolist()
    padding = scenario.paddings[0]
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        texts_file = written(texts, work, "texts")
        say(f"starting {len(entries)} engines, {_told(threads_of)} each")
        engines = [
            stack.enter_context(
                Instances(
                    entry,
                    of_entry,
                    # an accelerator's engine has threads of its own, whose number nobody sets
                    [()] * entry.instances
                    if entry.device != "cpu"
                    else pinning.places(of_entry, entry.instances, own_cores),
                    work / f"stderr-{i}",
                )
            )
            for i, (entry, of_entry) in enumerate(zip(entries, threads_of, strict=True))
        ]
        workers = [worker for engine in engines for worker in engine.workers]
        for worker in workers:  # all at once: nothing is timed yet
            worker.send("read", texts=str(texts_file))
            worker.send("rehearse", **worker.opening)
        for worker in workers:
            worker.receive()
            worker.receive()
        for engine, found in zip(engines, samples, strict=True):
            opened = [w.ask("open", **w.opening, row=warm_rows[0]) for w in engine.workers]
            found.load_ms = opened[0]["load_ms"]
            found.first_prediction_ms = opened[0]["first_prediction_ms"]
        for engine, found in zip(engines, samples, strict=True):
            warm = engine.ask("warm_up", rows=warm_rows, padding=padding)
            found.warmup_requests = max(one["requests"] for one in warm)

        turns = Turns(
            engines=engines, samples=samples, scenario=scenario, texts=len(texts), rng=rng, say=say
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
            turns.cold(example, work)
            looks.append(look())
        for engine, found in zip(engines, samples, strict=True):
            states = engine.ask("status")
            found.peak_memory_bytes = sum(state["peak_memory_bytes"] for state in states)
            if all(engine.cpus):
                found.cpus = tuple(tuple(state["cpus"]) for state in states)
    return [
        Measurement(
            candidate_name=entry.name,
            candidate_digest=entry.digest,
            target=target_name,
            fingerprint=place,
            threads=of_entry,
            instances=entry.instances,
            cpus=found.cpus,
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
        for entry, of_entry, found in zip(entries, threads_of, samples, strict=True)
    ]


def _threads(entry: Entry, otherwise: int) -> int:
    return otherwise if entry.threads is None else entry.threads


def _told(threads: Sequence[int]) -> str:
    counts = " or ".join(map(str, sorted(set(threads))))
    return f"{counts} thread{'' if counts == '1' else 's'}"


def written(examples: Sequence[Example], work: Path, name: str) -> Path:
    """The file that workers read them from."""
    pixels = [example for example in examples if isinstance(example, Image)]
    if pixels:
        images.write(pixels, work / f"{name}.npy")
        return work / f"{name}.npy"
    (work / f"{name}.json").write_text(json.dumps(list(examples)), encoding="utf-8")
    return work / f"{name}.json"
