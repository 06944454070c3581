"""The command line: verbs, entry, help, errors with the nearest name, the search's space."""

from lanecast.cli.command import main

__all__ = ["main"]
