"""How ONNX Runtime is set up on an NVIDIA GPU, and whether it really runs there.

Where CUDA's libraries are missing, ONNX Runtime logs that and runs on the CPU; operators that its
CUDA provider does not know run there in any case, and each costs two copies. Neither is a
measurement of the GPU, so that both are refused.
"""

import contextlib
import io
from pathlib import Path

import onnxruntime

from distillery.errors import RuntimeUnavailableError
from distillery.runtimes.onnx_session import session_options

_CUDA = "CUDAExecutionProvider"
_WARNINGS, _SILENT = 2, 4  # the former is what ONNX Runtime starts with
# parts of the names of operators that do a model's work; shapes are rightly computed on the CPU
_WORK = (
    *("Attention", "Conv", "Gelu", "Gemm", "GRU", "LayerNorm", "LSTM", "MatMul"),
    *("Quantize", "Softmax"),
)


def open_cuda_session(graph: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session whose work is done on the GPU.

    Raises ``RuntimeUnavailableError`` with what is missing where it would be done on the CPU.
    """
    known = onnxruntime.get_available_providers()
    if _CUDA not in known:
        raise RuntimeUnavailableError(
            f"onnxruntime {onnxruntime.__version__} is a build without {_CUDA} (it has "
            f"{', '.join(known)}); install onnxruntime-gpu in its place"
        )
    options = session_options(threads)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # which libraries it does not find it prints and logs, in several lines; below it is one
    onnxruntime.set_default_logger_severity(_SILENT)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()
            session = onnxruntime.InferenceSession(
                str(graph), options, providers=[_CUDA], enable_fallback=0
            )
    finally:
        onnxruntime.set_default_logger_severity(_WARNINGS)
    if _CUDA not in session.get_providers():
        raise RuntimeUnavailableError(
            f"ONNX Runtime cannot start its {_CUDA} and would run on the CPU; run it where "
            f"nvidia-smi shows a GPU, with CUDA {onnxruntime.cuda_version} and cuDNN 9 installed"
        )
    left = work_on_cpu(session)
    if left:
        raise RuntimeUnavailableError(
            f"{_CUDA} leaves {', '.join(left)} to the CPU, so this would not measure the GPU; "
            "export the model in fp16 or fp32 for it"
        )
    return session


def work_on_cpu(session: onnxruntime.InferenceSession) -> list[str]:
    """The kinds of operators that do a model's work and run on the CPU, sorted.

    The session must have been told to record where operators run.
    """
    return sorted(
        {
            node.op_type
            for part in session.get_provider_graph_assignment_info()
            if part.ep_name == "CPUExecutionProvider"
            for node in part.get_nodes()
            if any(word in node.op_type for word in _WORK)
        }
    )
