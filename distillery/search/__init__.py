"""Which candidate, with how many threads and instances, is best where it will run."""
