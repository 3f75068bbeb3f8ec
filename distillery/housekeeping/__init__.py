"""What may go and what must stay: everything listed, planned, and only then deleted."""
