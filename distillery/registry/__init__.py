"""Versions in the model registry: what each is, and which one reigns."""
