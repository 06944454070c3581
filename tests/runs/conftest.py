"""The toy project of these tests, and run folders that no run left."""

from run_folders import demo, write_run
from toy_project import toy

__all__ = ["demo", "toy", "write_run"]
