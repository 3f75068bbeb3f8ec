"""distillery's export beside other tools', on the same checkpoints: see README.md here."""
