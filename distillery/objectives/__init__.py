"""One file, one distillation loss."""
