"""One self-contained page that tells what a run found."""
