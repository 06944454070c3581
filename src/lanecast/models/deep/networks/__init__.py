"""Networks as plain modules: windows in, raw outputs out."""
