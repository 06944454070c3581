"""The wheel that these tests look into."""

from built_wheel import wheel

__all__ = ["wheel"]
