"""What is benchmarked on its own: models by name, folder or file, ours or not, and their inputs."""
