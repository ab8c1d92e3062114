"""ContextParallel: sequences that are too long for one device lie in parts."""

from collections.abc import Sequence
from typing import Any

from jkeras.core.names.registry import public
from jkeras.distribution.mesh import TensorLayout, mesh_beside_batch
from jkeras.distribution.strategies import FSDP


@public("jkeras.distribution.ContextParallel")
class ContextParallel(FSDP):
    """Devices take a part of each batch and, along its second axis, a part of each sequence.

    Layers that look at each position alone compute their own part. `MultiHeadAttention` and
    `GroupQueryAttention` without dropout, and `ops.dot_product_attention`, pass keys and values
    from device to device (`ops.ring_attention`), so that a device needs memory for its part of the
    positions alone. Variables lie in parts too, as with `FSDP`, cut along the axis of sequences.

    Args:
        sequence: in how many parts a sequence is cut; the other devices cut the batch. By default
            the number of devices.
        devices: names of devices, or JAX's; by default all.
        min_size: variables with fewer elements are replicated on each device.
        auto_shard_dataset: see `distribute_dataset`.
        offload: see `FSDP`.
    Raises:
        ValueError: a number of parts that does not divide the number of devices.

    An array whose second axis `sequence` does not divide is cut along its batch alone.

    References: Liu et al. 2023, arXiv:2310.01889.

    >>> ContextParallel(devices=["cpu:0"])
    <ContextParallel device_mesh=<DeviceMesh shape=(1, 1), axis_names=['batch', 'sequence']>>
    """

    sequence_axis = "sequence"

    def __init__(
        self,
        sequence: int | None = None,
        devices: Sequence[Any] | None = None,
        min_size: int = 1024,
        auto_shard_dataset: bool = True,
        *,
        offload: str | None = None,
    ) -> None:
        axis = self.sequence_axis
        mesh = mesh_beside_batch("ContextParallel", axis, sequence, devices, "sequence")
        super().__init__(
            mesh, min_size=min_size, auto_shard_dataset=auto_shard_dataset, offload=offload
        )

    @property
    def num_model_replicas(self) -> int:
        """In how many parts a batch is cut."""
        return self.device_mesh.devices.shape[0]

    def get_data_layout(self, data_shape: Sequence[int | None]) -> TensorLayout:
        """The layout of an array (batch, sequence, ...)."""
        axes = ["batch", *[None] * (len(data_shape) - 1)]
        if len(data_shape) > 1 and data_shape[1] % self.device_mesh.devices.shape[1] == 0:
            axes[1] = self.sequence_axis
        return TensorLayout(axes, self.device_mesh)
