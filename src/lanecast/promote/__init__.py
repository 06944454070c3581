"""Whether one run may take the place of another."""
