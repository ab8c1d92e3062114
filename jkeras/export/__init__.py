"""Exporting: a model's forward pass as a program that runs without jkeras, wherever JAX does."""

from jkeras.core.names.exports import exported
from jkeras.export.archive import ExportArchive
from jkeras.export.loading import load

__all__ = exported(globals())
