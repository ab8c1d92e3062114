# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.lora.adapter import Adapter as Adapter
from jkeras.lora.applying import apply as apply
from jkeras.lora.applying import init as init
from jkeras.lora.applying import merge as merge
from jkeras.lora.attaching import attach as attach
from jkeras.lora.attaching import detach as detach
from jkeras.lora.files import load as load
from jkeras.lora.files import save as save
from jkeras.lora.kernels import Kernel as Kernel
from jkeras.lora.kernels import kernels as kernels
