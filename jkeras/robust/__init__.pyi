# Written by `python -m tests.make_stubs`.
from jkeras.robust.attacks import FGSM as FGSM
from jkeras.robust.attacks import PGD as PGD
from jkeras.robust.attacks import fgsm as fgsm
from jkeras.robust.attacks import pgd as pgd
from jkeras.robust.smoothing import Certificate as Certificate
from jkeras.robust.smoothing import randomized_smoothing as randomized_smoothing
