"""One file, one Prefect flow; cli.py has one sub-command per flow."""
