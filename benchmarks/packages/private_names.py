"""Stands in for private modules of Keras of which a package takes a name or two."""

from jkeras import StatelessScope
from jkeras.core import frame
from jkeras.core.rng import global_generator as global_seed_generator

__all__ = ["StatelessScope", "global_seed_generator", "in_symbolic_scope", "no_automatic_dependency_tracking"]


def no_automatic_dependency_tracking(function):
    """Of keras.src.utils.tracking: jkeras tracks by attribute alone."""
    return function


def in_symbolic_scope():
    """Of keras.src.backend.common.symbolic_scope: whether shapes alone are computed."""
    run = frame.current()
    return run is not None and run.abstract
