"""The toy project of these tests."""

from toy_project import toy

__all__ = ["toy"]
