"""One file, one distillation loss.

Beside them stands what several losses are made of: ``temperature``, ``logits``, ``layer_maps``.
"""
