"""`jkeras.search`: many trainings with different numbers as one program."""

from jkeras.core.exports import exported
from jkeras.search.space import log, uniform

__all__ = exported(globals())
