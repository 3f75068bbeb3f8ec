"""One file, one engine that runs a candidate."""
