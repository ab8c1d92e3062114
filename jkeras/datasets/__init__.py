"""Data sets."""

from jkeras.core.exports import exported
from jkeras.datasets import digits

__all__ = exported(globals(), "digits")
