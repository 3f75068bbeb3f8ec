"""Side-by-side runs: what the choices in distillery rest on, and how it stands beside others."""
