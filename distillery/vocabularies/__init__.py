"""A student's tokens: its teacher's trimmed, or its own."""
