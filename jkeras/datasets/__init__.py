"""Data sets."""

from jkeras.datasets import digits

__all__ = ["digits"]
