"""One file, one model that Transformers does not have.

Importing this package makes them known to Transformers' Auto classes, so that they are saved,
loaded, exported and run like any other.
"""

from distillery.architectures import pooled_encoder as pooled_encoder
