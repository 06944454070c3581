"""The installed command, run in this process."""

from command_runner import command

__all__ = ["command"]
