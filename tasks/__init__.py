"""One file, one Prefect task: call the library, record what it did, return a noun."""
