"""`jkeras.privacy`: gradients to which each row of the data adds a bounded amount, and what a
training with noise reveals of any row.
"""

from jkeras.core.exports import exported
from jkeras.privacy.accounting import Run, epsilon, noise_for
from jkeras.privacy.clipping import clipped_grad

__all__ = exported(globals())
