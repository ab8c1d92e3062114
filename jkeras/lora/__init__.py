"""`jkeras.lora`: low-rank changes of a model's kernels as values (Hu et al. 2021,
arXiv:2106.09685).
"""

from jkeras.core.names.exports import exported
from jkeras.lora.adapter import Adapter
from jkeras.lora.applying import apply, init, merge
from jkeras.lora.attaching import attach, detach
from jkeras.lora.files import load, save
from jkeras.lora.kernels import Kernel, kernels

__all__ = exported(globals())
