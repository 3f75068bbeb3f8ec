"""The fingerprint, from real and from missing files."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from distillery.benchmarking.fingerprint import available_cores, fingerprint
from distillery.benchmarking.process import PACKAGE_ROOT

_X86 = """\
processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8488C
stepping\t: 8
flags\t\t: fpu sse2 fma avx2 avx512_vnni avx512f amx_int8 hypervisor

processor\t: 1
model name\t: another
flags\t\t: fpu
"""
_ARM = """\
processor\t: 0
Features\t: fp asimd asimddp i8mm crc32
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""


def test_only_flags_that_matter_sorted(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(_X86)
    found = fingerprint(cpuinfo)
    assert found.cpu_model == "Intel(R) Xeon(R) Platinum 8488C (family 6, model 143, stepping 8)"
    assert found.cpu_flags == ("amx_int8", "avx2", "avx512_vnni", "avx512f", "fma")


def test_two_generations_behind_one_name_are_two(tmp_path: Path) -> None:
    zen4, zen5 = tmp_path / "zen4", tmp_path / "zen5"
    zen4.write_text("cpu family\t: 25\nmodel\t: 17\nmodel name\t: AMD EPYC\nflags\t: avx2\n")
    zen5.write_text("cpu family\t: 26\nmodel\t: 2\nmodel name\t: AMD EPYC\nflags\t: avx2\n")
    assert fingerprint(zen4).digest != fingerprint(zen5).digest


def test_arm(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(_ARM)
    found = fingerprint(cpuinfo)
    assert found.cpu_model == "CPU implementer 0x41 CPU part 0xd40"
    assert found.cpu_flags == ("asimd", "asimddp", "i8mm")


def test_without_proc(tmp_path: Path) -> None:
    found = fingerprint(tmp_path / "missing")
    assert found.cpu_model
    assert found.cpu_flags == ()


def test_a_gpu_belongs_to_what_was_measured_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fingerprint().gpu is None
    tool = tmp_path / "nvidia-smi"
    tool.write_text("""#!/bin/sh\ncase "$*" in *--id=3*) echo "A10G, 23028 MiB, 570.1" ;; esac\n""")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    assert fingerprint(on_gpu=True).gpu == "A10G, 23028 MiB, 570.1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert fingerprint(on_gpu=True).gpu == "an NVIDIA GPU that nvidia-smi does not tell of"


def test_this_machine() -> None:
    found = fingerprint()
    assert found == fingerprint()
    assert found.memory_bytes > 1 << 28
    assert 1 <= available_cores() <= found.cpu_count <= (os.cpu_count() or 1)
    assert found.runtimes["onnxruntime"] == metadata.version("onnxruntime")
    assert set(found.runtimes) >= {"onnxruntime", "tokenizers", "numpy"}


def test_a_cpu_limit_is_part_of_the_place() -> None:
    """In a process of its own: limits cannot be taken back safely."""
    if not hasattr(os, "sched_setaffinity"):
        return
    program = (
        "import os, json; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
        "from distillery.benchmarking.fingerprint import available_cores, fingerprint;"
        "import sys; sys.stdout.write(json.dumps([fingerprint().cpu_count, available_cores()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=PACKAGE_ROOT
    )
    assert json.loads(done.stdout) == [1, 1]
