"""Which engine opens which candidate: one line a runtime, imported only when asked for."""

from pathlib import Path

from distillery.runtimes.base import Engine


def open_engine(folder: Path, runtime: str, *, threads: int = 0) -> Engine:
    """Raises ``ValueError`` for a runtime that does not exist or a folder that is no candidate."""
    match runtime:
        case "onnxruntime":
            from distillery.runtimes.onnxruntime_cpu import OnnxRuntimeCpu

            return OnnxRuntimeCpu(folder, threads=threads)
        case "pytorch":
            from distillery.runtimes.pytorch_cpu import PyTorchCpu

            return PyTorchCpu(folder, threads=threads)
        case _:
            raise ValueError(f"no runtime '{runtime}'; choose one of onnxruntime, pytorch")
