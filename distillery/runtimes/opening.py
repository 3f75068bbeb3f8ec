"""Which engine opens which candidate: one line a runtime, imported only when asked for."""

from pathlib import Path

from distillery.runtimes.base import Device, Engine


def open_engine(folder: Path, runtime: str, *, device: Device = "cpu", threads: int = 0) -> Engine:
    """Raises ``RuntimeUnavailableError`` where the runtime or the device is not here, and
    ``ValueError`` for a runtime that does not exist or a folder that is no candidate.
    """
    match runtime, device:
        case "onnxruntime", "cpu":
            from distillery.runtimes.onnxruntime_cpu import OnnxRuntimeCpu

            return OnnxRuntimeCpu(folder, threads=threads)
        case "onnxruntime", "cuda":
            from distillery.runtimes.onnxruntime_cuda import OnnxRuntimeCuda

            return OnnxRuntimeCuda(folder, threads=threads)
        case "onnx_file", _:
            from distillery.runtimes.onnx_file import OnnxFile

            return OnnxFile(folder, device=device, threads=threads)
        case (("pytorch" | "pytorch_compiled"), _) if (folder / "ensemble.json").is_file():
            from distillery.runtimes.pytorch_ensemble import PyTorchEnsemble

            members = sorted(folder.glob("member-*"), key=lambda one: int(one.name.split("-")[1]))
            return PyTorchEnsemble(
                folder,
                [open_engine(one, runtime, device=device, threads=threads) for one in members],
            )
        case "pytorch", _:
            from distillery.runtimes.pytorch_eager import PyTorchEager

            return PyTorchEager(folder, device=device, threads=threads)
        case "pytorch_compiled", _:
            from distillery.runtimes.pytorch_compiled import PyTorchCompiled

            return PyTorchCompiled(folder, device=device, threads=threads)
        case "neuron", _:
            from distillery.runtimes.neuron import Neuron

            return Neuron(folder, threads=threads)
        case _:
            raise ValueError(
                f"no runtime '{runtime}'; choose one of onnxruntime, onnx_file, pytorch, "
                "pytorch_compiled, neuron"
            )
