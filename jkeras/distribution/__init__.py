"""`keras.distribution`: data and models over many devices and processes, on `jax.sharding`."""

from jkeras.core.names.exports import exported
from jkeras.distribution.auto import AutoParallel
from jkeras.distribution.context import ContextParallel
from jkeras.distribution.mesh import (
    DeviceMesh,
    LayoutMap,
    TensorLayout,
    get_device_count,
    list_devices,
)
from jkeras.distribution.pipeline import PipelineParallel
from jkeras.distribution.processes import initialize
from jkeras.distribution.strategies import (
    FSDP,
    DataParallel,
    ModelParallel,
    distribute_tensor,
    distribution,
    set_distribution,
)
from jkeras.distribution.topology import Topology

__all__ = exported(globals())
