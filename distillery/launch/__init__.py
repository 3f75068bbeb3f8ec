"""A training as a value, carried out here or by several processes under torchrun."""
