# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.distribution.auto import AutoParallel as AutoParallel
from jkeras.distribution.context import ContextParallel as ContextParallel
from jkeras.distribution.mesh import DeviceMesh as DeviceMesh
from jkeras.distribution.mesh import LayoutMap as LayoutMap
from jkeras.distribution.mesh import TensorLayout as TensorLayout
from jkeras.distribution.mesh import get_device_count as get_device_count
from jkeras.distribution.mesh import list_devices as list_devices
from jkeras.distribution.pipeline import PipelineParallel as PipelineParallel
from jkeras.distribution.processes import initialize as initialize
from jkeras.distribution.strategies import DataParallel as DataParallel
from jkeras.distribution.strategies import FSDP as FSDP
from jkeras.distribution.strategies import ModelParallel as ModelParallel
from jkeras.distribution.strategies import distribute_tensor as distribute_tensor
from jkeras.distribution.strategies import distribution as distribution
from jkeras.distribution.strategies import set_distribution as set_distribution
from jkeras.distribution.topology import Topology as Topology
