"""The whole benchmark with real processes and a real, tiny ONNX model."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from factories import make_entry

from distillery.benchmarking.driver import measure
from distillery.benchmarking.fingerprint import available_cores
from distillery.benchmarking.plan import Entry, Plan
from distillery.benchmarking.process import PACKAGE_ROOT, WorkerProcess
from distillery.benchmarking.rounds import told
from distillery.errors import BenchmarkProcessError
from distillery.measurements import Measurement, Offline, Scenario, Server
from distillery.runtimes.base import Text
from distillery.targets.this_machine import ThisMachine

_TEXTS: tuple[Text, ...] = ("one", "one two", "two two one", "three one two one")
_SMALL = Scenario(requests=101, rounds=3, offline=Offline(batch_sizes=(4,), batches=5), seed=3)


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return make_entry(tmp_path / "tiny")


def _children() -> list[str]:
    running = psutil.Process().children(recursive=True)
    return [" ".join(p.cmdline()) for p in running if p.status() != psutil.STATUS_ZOMBIE]


def _no_worker_is_left() -> bool:
    return not any("distillery.benchmarking" in command for command in _children())


def test_two_engines_in_turns(entry: Entry) -> None:
    other = Entry(name="other", digest="07h3r", folder=entry.folder, runtime=entry.runtime)
    said: list[str] = []
    found = measure([entry, other], _TEXTS, _SMALL, 1, "here", said.append)
    assert [(m.candidate_name, m.candidate_digest) for m in found] == [
        ("tiny fp32", "d1g357"),
        ("other", "07h3r"),
    ]
    for m in found:
        assert (m.target, m.threads) == ("here", 1)
        assert len(m.latencies_ms) == len(m.model_latencies_ms) == 101
        pairs = zip(m.latencies_ms, m.model_latencies_ms, strict=True)
        assert all(both >= model > 0 for both, model in pairs)
        (batches,) = m.offline
        assert (batches.batch_size, len(batches.rows_per_second)) == (4, 5)
        pairs = zip(batches.rows_per_second, batches.model_rows_per_second, strict=True)
        assert all(0 < both <= model for both, model in pairs)
        assert (m.server, m.cold_starts) == (None, ())
        assert m.load_ms > 0
        assert m.first_prediction_ms > 0
        assert m.peak_memory_bytes > 1 << 20
        assert 20 <= m.warmup_requests <= 400
        assert m.warmup_requests % 20 == 0
        assert 0 <= m.noise.steal_share <= 1
    assert found[0].fingerprint == found[1].fingerprint
    assert said
    assert _no_worker_is_left()


def test_a_long_benchmark_says_which_round_it_is_in_and_a_quick_one_is_silent() -> None:
    rounds = np.array_split(np.arange(8), 4)
    said: list[str] = []
    now = iter(range(0, 100, 3))
    heard = list(told(rounds, said.append, clock=lambda: next(now)))
    assert [list(one) for one in heard] == [list(one) for one in rounds]
    assert said == ["round 2 of 4", "round 4 of 4"]
    said.clear()
    list(told(rounds, said.append))
    assert not said


def test_each_entry_has_its_own_threads_and_is_pinned_to_as_many_cpus(entry: Entry) -> None:
    one, many = replace(entry, threads=1), replace(entry, name="many", threads=1000)
    for_all, alone, anywhere = measure([entry, one, many], _TEXTS, _SMALL, 0, "here")
    assert (for_all.threads, alone.threads, anywhere.threads) == (available_cores(), 1, 1000)
    if hasattr(os, "sched_setaffinity"):
        own = os.sched_getaffinity(0)
        for measured in (for_all, alone):
            (cpus,) = measured.cpus
            assert len(cpus) == measured.threads
            assert own.issuperset(cpus)
    assert anywhere.cpus == ()


@pytest.mark.skipif(available_cores() < 2, reason="two instances need two cores")
def test_several_instances_answer_the_same_requests_at_the_same_time(entry: Entry) -> None:
    scenario = Scenario(
        requests=101,
        rounds=3,
        offline=Offline(batch_sizes=(4,), batches=5),
        server=Server(p99_objective_ms=1e6, rates=1),
        cold_starts=1,
    )
    two = replace(entry, threads=1, instances=2)
    alone, together = measure([replace(two, instances=1), two], _TEXTS, scenario, 0, "here")
    assert (alone.instances, together.instances) == (1, 2)
    for m in (alone, together):  # sample i of both answers the same request
        assert len(m.latencies_ms) == 101
        assert min(m.latencies_ms) > 0
        assert len(m.offline[0].rows_per_second) == 5
        assert m.server is not None
        (point,) = m.server.points
        assert len(point.latencies_ms) == 700
        assert min(point.latencies_ms) > 0
        assert len(m.cold_starts) == 1
    # two processes hold about twice as much as one
    assert together.peak_memory_bytes > 1.5 * alone.peak_memory_bytes
    if hasattr(os, "sched_setaffinity"):
        first, second = together.cpus
        assert first != second
    assert _no_worker_is_left()


def test_instances_that_do_not_fit_are_refused_before_anything_is_timed(entry: Entry) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        measure([replace(entry, instances=1000)], _TEXTS, _SMALL, 1, "here")
    assert _no_worker_is_left()


def test_pairs_of_texts_and_more_rounds_than_batches(entry: Entry) -> None:
    scenario = Scenario(requests=100, rounds=100, offline=Offline(batch_sizes=(1,), batches=3))
    (found,) = measure([entry], [("one", "two"), ("two", "one")], scenario, 1, "here")
    assert len(found.latencies_ms) == 100
    assert len(found.offline[0].rows_per_second) == 3


def test_every_scenario_over_paddings_and_batch_sizes(entry: Entry) -> None:
    scenario = Scenario(
        requests=100,
        rounds=2,
        offline=Offline(batch_sizes=(1, 3), batches=4),
        server=Server(p99_objective_ms=1e6, rates=2),
        cold_starts=2,
        paddings=("max_length", "natural"),
    )
    other = Entry(name="other", digest="07h3r", folder=entry.folder, runtime=entry.runtime)
    for m in measure([entry, other], _TEXTS, scenario, 1, "here"):
        assert [one.padding for one in m.single_stream] == ["max_length", "natural"]
        assert [len(one.latencies_ms) for one in m.single_stream] == [100, 100]
        assert m.latencies_ms == m.single_stream[0].latencies_ms
        assert [(one.padding, one.batch_size) for one in m.offline] == [
            ("max_length", 1),
            ("natural", 1),
            ("max_length", 3),
            ("natural", 3),
        ]
        assert {len(one.rows_per_second) for one in m.offline} == {4}
        assert m.server is not None
        assert [len(point.latencies_ms) for point in m.server.points] == [700, 700]
        # an objective that anything holds: each try is nearer to what it does back to back
        capacity = 1000 / np.mean(m.latencies_ms)
        rates = [point.rate_per_second for point in m.server.points]
        assert rates == pytest.approx([capacity / 2, capacity * 3 / 4])
        assert len(m.cold_starts) == 2
        for start in m.cold_starts:
            # an interpreter starts in more than a millisecond, and the runtime's import counts
            assert start.process_ms > 1
            assert start.load_ms > m.load_ms
            assert start.first_prediction_ms > 0
    assert _no_worker_is_left()


def test_no_threads_given_means_one_a_core_and_is_recorded(entry: Entry) -> None:
    (found,) = measure([entry], _TEXTS, _SMALL, 0, "here")
    assert 1 <= found.threads <= (psutil.cpu_count() or 1)


def test_nothing_to_measure(entry: Entry) -> None:
    with pytest.raises(ValueError, match="at least one"):
        measure([], _TEXTS, _SMALL, 1, "here")
    with pytest.raises(ValueError, match="at least one"):
        measure([entry], [], _SMALL, 1, "here")


def test_a_corrupt_model_names_the_candidate(entry: Entry, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("candidate.json", "tokenizer.json"):
        (broken / name).write_bytes((entry.folder / name).read_bytes())
    (broken / "model.onnx").write_bytes(b"this is no graph")
    bad = Entry(name="bad int8", digest="bad", folder=broken, runtime="onnxruntime")
    with pytest.raises(BenchmarkProcessError, match=r"bad int8 \(onnxruntime\) failed"):
        measure([entry, bad], _TEXTS, _SMALL, 1, "here")
    assert _no_worker_is_left()


def test_an_unknown_runtime(entry: Entry) -> None:
    bad = Entry(name="bad", digest="bad", folder=entry.folder, runtime="abacus")
    with pytest.raises(BenchmarkProcessError, match="no runtime 'abacus'"):
        measure([bad], _TEXTS, _SMALL, 1, "here")
    assert _no_worker_is_left()


def test_a_worker_that_dies(entry: Entry) -> None:
    def kill_one(line: str) -> None:
        if "single" in line:
            victim = next(
                p for p in psutil.Process().children() if "benchmarking.worker" in str(p.cmdline())
            )
            victim.kill()

    with pytest.raises(BenchmarkProcessError, match="died, signal 9"):
        measure([entry, entry], _TEXTS, _SMALL, 1, "here", kill_one)
    assert _no_worker_is_left()


def test_the_model_alone_is_timed_without_its_tokenizing(entry: Entry, tmp_path: Path) -> None:
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps(_TEXTS))
    with WorkerProcess(entry, 1, tmp_path / "stderr") as worker:
        worker.ask("read", texts=str(texts))
        worker.ask("open", **worker.opening, row=0)
        worker.ask("warm_up", rows=[0, 1], padding="longest_of_batch")
        times_ms = worker.ask("model_only", rows=[0, 1, 1], padding="longest_of_batch")["model_ms"]
    assert len(times_ms) == 3
    assert min(times_ms) > 0


def test_an_interrupt_leaves_no_process(entry: Entry) -> None:
    def interrupt(line: str) -> None:
        if "single" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure([entry], _TEXTS, _SMALL, 1, "here", interrupt)
    assert _no_worker_is_left()


def test_the_worker_keeps_stray_prints_out_of_the_protocol_and_ends_with_its_stdin() -> None:
    program = """
import io, os, sys
from distillery.benchmarking import worker

class NoisyCommands(io.StringIO):
    def readline(self, *size):
        print("stray")
        os.write(1, b"stray from C")
        return super().readline(*size)

sys.stdin = NoisyCommands(sys.stdin.read())
sys.exit(worker.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        input='{"do": "status"}\n',
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE_ROOT,
        timeout=60,
    )
    assert json.loads(done.stdout)["peak_memory_bytes"] > 0
    assert "stray from C" in done.stderr


def test_this_machine_measures_in_a_process_of_its_own(
    entry: Entry, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ThisMachine().measure([entry, entry], _TEXTS, _SMALL, 1)
    assert [m.target for m in found] == ["cpu", "cpu"]
    assert len(found[0].latencies_ms) == 101
    assert "benchmark: timing 101 single requests" in capsys.readouterr().err
    assert _no_worker_is_left()


def test_this_machine_says_what_went_wrong(entry: Entry) -> None:
    (entry.folder / "model.onnx").write_bytes(b"this is no graph")
    with pytest.raises(BenchmarkProcessError, match=r"tiny fp32 \(onnxruntime\) failed"):
        ThisMachine().measure([entry], _TEXTS, _SMALL, 1)
    assert _no_worker_is_left()


def _command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "distillery.benchmarking", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=PACKAGE_ROOT,
        timeout=120,
    )


def test_the_command_line(entry: Entry, tmp_path: Path) -> None:
    plan = Plan(entries=(entry,), texts=_TEXTS, scenario=_SMALL, threads=1, target="there")
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    (tmp_path / "plan.json").write_text(plan.model_dump_json())
    done = _command_line(str(tmp_path / "plan.json"), str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert Measurement.model_validate(row).target == "there"
    assert [path.name for path in tmp_path.glob("out.json*")] == ["out.json"]


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (None, "cannot read the plan"),
        ("{", "bad plan"),
        ('{"entries": []}', "entries"),
        ('{"entries": [{"name": "x"}]}', "entries.0.digest"),
    ],
)
def test_a_bad_plan_is_one_line_and_exit_2(
    tmp_path: Path, plan: str | None, complaint: str
) -> None:
    if plan is not None:
        (tmp_path / "plan.json").write_text(plan)
    done = _command_line(str(tmp_path / "plan.json"), str(tmp_path / "out.json"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert complaint in done.stderr
    assert not (tmp_path / "out.json").exists()


def test_usage() -> None:
    done = _command_line()
    assert done.returncode == 2
    assert done.stderr.startswith("benchmark: usage:")


def test_nothing_heavy_is_imported() -> None:
    """What is sent to an instance must run without torch, and start at once."""
    program = (
        "import sys, json;"
        "import distillery.benchmarking.__main__, distillery.benchmarking.worker;"
        "import distillery.benchmarking.percentiles, distillery.runtimes.onnxruntime_cpu;"
        "sys.stdout.write(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=PACKAGE_ROOT
    )
    heavy = {"torch", "transformers", "mlflow", "prefect", "datasets", "pandas", "scipy"}
    assert heavy.isdisjoint(json.loads(done.stdout))
