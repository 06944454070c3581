"""Run folders that no run left."""

from run_folders import demo, write_run

__all__ = ["demo", "write_run"]
