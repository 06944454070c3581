"""The toy project of these tests, and the installed command."""

from command_runner import command
from toy_project import toy

__all__ = ["command", "toy"]
