"""Where a champion is served: one file, one kind of place."""
