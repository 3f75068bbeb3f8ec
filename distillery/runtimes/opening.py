"""Which engine opens which candidate: one line a runtime, imported only when asked for."""

from pathlib import Path

from distillery.runtimes.base import Engine


def open_engine(folder: Path, runtime: str, *, threads: int = 0) -> Engine:
    """Raises ``ValueError`` for a runtime that does not exist or a folder that is no candidate."""
    match runtime:
        case "onnxruntime":
            from distillery.runtimes.onnxruntime_cpu import OnnxRuntimeCpu

            return OnnxRuntimeCpu(folder, threads=threads)
        case "onnx_file":
            from distillery.runtimes.onnx_file import OnnxFile

            return OnnxFile(folder, threads=threads)
        case "pytorch":
            from distillery.runtimes.pytorch_cpu import PyTorchCpu

            if not (folder / "ensemble.json").is_file():
                return PyTorchCpu(folder, threads=threads)
            from distillery.runtimes.pytorch_ensemble import PyTorchEnsemble

            members = sorted(folder.glob("member-*"), key=lambda one: int(one.name.split("-")[1]))
            return PyTorchEnsemble(folder, [PyTorchCpu(one, threads=threads) for one in members])
        case _:
            raise ValueError(
                f"no runtime '{runtime}'; choose one of onnxruntime, onnx_file, pytorch"
            )
