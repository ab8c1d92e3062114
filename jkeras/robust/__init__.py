"""`jkeras.robust`: inputs made to mislead a model, training against them, and certificates that
none within a distance does.
"""

from jkeras.core.names.exports import exported
from jkeras.robust.attacks import FGSM, PGD, fgsm, pgd
from jkeras.robust.smoothing import Certificate, randomized_smoothing

__all__ = exported(globals())
