"""The report of models that were benchmarked on their own: rows, a page, JSON."""
