"""Schema, panel, windows, scaling: everything between a table and a batch."""
