"""The hardware and builds a measurement belongs to.

Reads only; where a system tells less (macOS, a container without /proc), less is recorded.
"""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from distillery.measurements import Fingerprint

_CPUINFO = Path("/proc/cpuinfo")
_TOPOLOGY = Path("/sys/devices/system/cpu")

# those that choose a kernel: vector width, fp16 and bf16, and the int8 dot products
_FLAGS_THAT_MATTER = frozenset(
    {"avx", "avx2", "fma", "f16c", "avx_vnni", "avx_vnni_int8"}
    | {"avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16"}
    | {"amx_tile", "amx_int8", "amx_bf16", "amx_fp16"}
    | {"asimd", "asimdhp", "asimddp", "sve", "sve2", "i8mm", "bf16", "sme"}
)
_GENERATION = ("cpu family", "model", "stepping")
_PACKAGES = (
    *("numpy", "onnxruntime", "onnxruntime-gpu", "tokenizers", "torch", "transformers"),
    *("torch-neuronx", "neuronx-cc", "torch-neuron", "neuron-cc"),
)
_GPU_NOT_TOLD = "an NVIDIA GPU that nvidia-smi does not tell of"


def fingerprint(cpuinfo: Path = _CPUINFO, *, on_gpu: bool = False) -> Fingerprint:
    """This machine, as this process may use it: a CPU limit makes another place of it.

    Its GPU and driver belong to measurements that were made ``on_gpu`` alone.
    """
    model, flags = _cpu(cpuinfo)
    return Fingerprint(
        cpu_model=model,
        cpu_count=len(_cpus()),
        cpu_flags=flags,
        memory_bytes=psutil.virtual_memory().total,
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        runtimes=_versions(),
        gpu=_gpu() if on_gpu else None,
    )


def available_cores() -> int:
    """Physical cores this process may run on, at least 1."""
    return len(cores())


def cores() -> tuple[int, ...]:
    """One logical CPU of each physical core that this process may run on; never empty.

    Two hyperthreads share one core's multipliers: a thread each would gain nothing but noise.
    """
    first: dict[str, int] = {}
    for cpu in sorted(_cpus()):
        try:
            path = _TOPOLOGY / f"cpu{cpu}" / "topology" / "thread_siblings_list"
            first.setdefault(path.read_text(encoding="ascii").strip(), cpu)
        except OSError:  # no Linux, or /sys is hidden
            physical = min(psutil.cpu_count(logical=False) or 1, len(_cpus()))
            return tuple(sorted(_cpus()))[:physical]
    return tuple(first.values())


def _cpus() -> set[int]:
    """The logical CPUs this process may run on; never empty."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _cpu(cpuinfo: Path) -> tuple[str, tuple[str, ...]]:
    """The model's name and the flags that matter, sorted."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return _model_without_proc(), ()
    # the first core speaks for all; Arm says "Features", and names no model
    first: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            first.setdefault(key.strip(), value.strip())
    present = first.get("flags", first.get("Features", "")).split()
    arm = " ".join(f"{key} {first[key]}" for key in ("CPU implementer", "CPU part") if key in first)
    model = first.get("model name") or arm or _model_without_proc()
    # a virtual machine may say "AMD EPYC" of any generation
    x86 = [f"{key.split()[-1]} {first[key]}" for key in _GENERATION if key in first]
    if x86:
        model = f"{model} ({', '.join(x86)})"
    return model, tuple(sorted(_FLAGS_THAT_MATTER.intersection(present)))


def _gpu() -> str:
    """The one that runtimes use unless told otherwise, such as ``NVIDIA A10G, 23028 MiB, 570.1``.

    The last is the driver's version.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version"]
    try:
        found = subprocess.run(
            [*command, "--format=csv,noheader", f"--id={visible or 0}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return _GPU_NOT_TOLD
    return found.strip() or _GPU_NOT_TOLD


def _model_without_proc() -> str:
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if found:
            return found
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    """Package → version, of those installed. From the metadata: importing torch costs seconds."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
