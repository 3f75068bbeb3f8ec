"""distillery: the smallest, fastest classifier that still passes its owner's gates."""

__version__ = "0.3.0"
