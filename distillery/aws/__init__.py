"""Renting a machine on AWS for as long as a benchmark takes: one file a concern."""
