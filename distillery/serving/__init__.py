"""What is registered is what is served."""
