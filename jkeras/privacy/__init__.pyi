# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.privacy.account import Spent as Spent
from jkeras.privacy.accounting import Run as Run
from jkeras.privacy.accounting import epsilon as epsilon
from jkeras.privacy.accounting import noise_for as noise_for
from jkeras.privacy.clipping import clipped_grad as clipped_grad
from jkeras.privacy.dpsgd import DPSGD as DPSGD
from jkeras.privacy.sampling import cap_for as cap_for
from jkeras.privacy.sampling import sample as sample
