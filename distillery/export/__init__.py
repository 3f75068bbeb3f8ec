"""PyTorch → ONNX → fused → quantized, each step proven on real examples."""
