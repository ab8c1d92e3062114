# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.distribution.auto import AutoParallel as AutoParallel
from jkeras.distribution.context import ContextParallel as ContextParallel
from jkeras.distribution.mesh import DeviceMesh as DeviceMesh
from jkeras.distribution.mesh import LayoutMap as LayoutMap
from jkeras.distribution.mesh import TensorLayout as TensorLayout
from jkeras.distribution.pipeline import PipelineParallel as PipelineParallel
from jkeras.distribution.strategies import DataParallel as DataParallel
from jkeras.distribution.strategies import FSDP as FSDP
from jkeras.distribution.strategies import ModelParallel as ModelParallel
from jkeras.distribution.topology import Topology as Topology

def distribute_tensor(tensor: Any, layout: Any) -> Any: ...
def distribution() -> Any: ...
def get_device_count(device_type: Any = None) -> Any: ...
def initialize(
    job_addresses: Any = None,
    num_processes: Any = None,
    process_id: Any = None,
) -> Any: ...
def list_devices(device_type: Any = None) -> Any: ...
def set_distribution(value: Any) -> Any: ...
