"""`jkeras.privacy`: gradients to which each row of the data adds a bounded amount, and what a
training with noise reveals of any row.
"""

from jkeras.core.names.exports import exported
from jkeras.privacy import audit
from jkeras.privacy.account import Spent
from jkeras.privacy.accounting import Run, epsilon, noise_for
from jkeras.privacy.clipping import clipped_grad
from jkeras.privacy.dpsgd import DPSGD
from jkeras.privacy.sampling import cap_for, sample
from jkeras.privacy.sealing import Seal
from jkeras.privacy.selection import Best, best_of

__all__ = exported(globals())
