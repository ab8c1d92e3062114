"""PipelineParallel: the blocks of a `Stack` lie on devices of their own."""

from collections.abc import Sequence
from typing import Any

from jkeras.core.names.registry import public
from jkeras.distribution.mesh import mesh_beside_batch
from jkeras.distribution.strategies import Distribution

STAGE = "stage"  # the name of the axis of a mesh


@public("jkeras.distribution.PipelineParallel")
class PipelineParallel(Distribution):
    """Devices take the blocks of a `layers.Stack` in stages, and a part of each batch.

    `Stack(block, count, stages=4, microbatches=8)` puts a quarter of its blocks, with their
    optimizer state, on each of four devices. What is not in the stack lies on all of them. Only
    what goes from one stage to the next passes between devices.

    Any distribution whose mesh has an axis named "stage" does so: `ModelParallel` with a mesh
    ("batch", "model", "stage") cuts layers as well.

    Args:
        stages: how many stages; the other devices cut the batch. By default the number of devices.
        devices: names of devices, or JAX's; by default all.
        auto_shard_dataset: see `distribute_dataset`.
        offload: see `FSDP`.
    Raises:
        ValueError: a number of stages that does not divide the number of devices.

    >>> PipelineParallel(devices=["cpu:0"])
    <PipelineParallel device_mesh=<DeviceMesh shape=(1, 1), axis_names=['batch', 'stage']>>
    """

    def __init__(
        self,
        stages: int | None = None,
        devices: Sequence[Any] | None = None,
        auto_shard_dataset: bool = True,
        *,
        offload: str | None = None,
    ) -> None:
        mesh = mesh_beside_batch("PipelineParallel", STAGE, stages, devices, "stages")
        super().__init__(mesh, "batch", auto_shard_dataset, offload=offload)
