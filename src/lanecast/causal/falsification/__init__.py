"""What the data says against a graph."""
