"""`jkeras.uncertainty`: how sure a model is of what it predicts."""

from jkeras.core.exports import exported
from jkeras.uncertainty.laplace import Laplace, laplace

__all__ = exported(globals())
