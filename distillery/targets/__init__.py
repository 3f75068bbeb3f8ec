"""One file, one kind of place to measure."""
