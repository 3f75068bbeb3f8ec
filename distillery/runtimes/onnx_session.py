"""How ONNX Runtime is set up on CPU, whoever's graph it runs."""

from pathlib import Path

import onnxruntime


def open_session(graph: Path, threads: int) -> onnxruntime.InferenceSession:
    """Intra-op threads set (0: one a core), inter-op 1."""
    return onnxruntime.InferenceSession(
        str(graph),
        session_options(threads),
        providers=["CPUExecutionProvider"],
        enable_fallback=0,  # it would print four lines and try the same again
    )


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """The same wherever a graph runs: what is left to the CPU has these threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # an error is raised as well: once is enough
    # waiting threads spin for up to half a second by default, which takes a core from whoever
    # shares the machine; 1 ms bridges the operators of one request just as well
    options.add_session_config_entry("session.intra_op.spin_duration_us", "1000")
    return options
