"""From rows and a teacher to a checkpoint: stages, encoding, and the only training loop."""
