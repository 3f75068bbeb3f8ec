"""Between teachers and losses: what a teacher says, whoever it is and wherever it was kept.

A loss asks for logits, hidden states or attention and never knows whether they come from a live
model, from several, or from the cache.
"""
