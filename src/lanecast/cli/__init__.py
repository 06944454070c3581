"""The command line: entry, help, errors with the nearest name, the search's space."""
