"""One file, one model that Transformers does not have.

Importing this package makes them known to Transformers' Auto classes, so that they are saved,
loaded, exported and run like any other.
"""

from distillery.architectures import bilstm as bilstm
from distillery.architectures import cnn as cnn
from distillery.architectures import early_exits as early_exits
from distillery.architectures import mlp as mlp
from distillery.architectures import peers as peers
from distillery.architectures import pooled_encoder as pooled_encoder
from distillery.architectures import soft_tree as soft_tree
