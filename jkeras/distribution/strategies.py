"""Distributions: where each variable and each batch lies. One of them may be the session's."""

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.core.errors import check_choice, explain
from jkeras.core.graph.keras_tensor import is_symbolic
from jkeras.core.names.registry import public
from jkeras.core.session.settings import settings
from jkeras.core.session.spread import spread
from jkeras.distribution.mesh import DeviceMesh, LayoutMap, TensorLayout, list_devices

if TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable

OFFLOADS = (None, "optimizer")
HOST_MEMORY = "pinned_host"  # as JAX names it


@public("keras.distribution.distribution")
def distribution() -> "Distribution | None":
    """The distribution of the session, or None.

    >>> distribution() is None
    True
    """
    return settings.distribution


@public("keras.distribution.set_distribution")
def set_distribution(value: "Distribution | None") -> None:
    """Makes a distribution that of the session: of variables made from now on, and of the batches
    they are trained on.

    Args:
        value: a `DataParallel`, `FSDP`, `ModelParallel` or `AutoParallel`; None for none.

    >>> set_distribution(DataParallel(devices=["cpu:0"]))
    >>> distribution()
    <DataParallel device_mesh=<DeviceMesh shape=(1,), axis_names=['batch']>>
    >>> set_distribution(None)
    """
    settings.distribution = value


@public("keras.distribution.distribute_tensor")
def distribute_tensor(tensor: Any, layout: Any) -> Any:
    """An array laid out over a mesh; inside `jax.jit` a demand on the compiler.

    Args:
        tensor: array; a `KerasTensor` is returned as it is.
        layout: a `TensorLayout` or one of JAX's shardings.

    >>> mesh = DeviceMesh((1,), ["batch"], ["cpu:0"])
    >>> laid_out = distribute_tensor(np.ones((4, 2)), TensorLayout(("batch", None), mesh))
    >>> laid_out.sharding.spec == jax.sharding.PartitionSpec("batch", None)
    True
    """
    if is_symbolic(tensor):
        return tensor
    layout = getattr(layout, "backend_layout", layout)
    if isinstance(tensor, jax.core.Tracer):
        return jax.lax.with_sharding_constraint(tensor, layout)
    return spread(tensor, layout)


class Distribution:
    """Base of distributions: a mesh, one of whose axes cuts batches.

    Args:
        device_mesh: a `DeviceMesh`.
        batch_dim_name: the axis of the mesh along which batches are cut.
        auto_shard_dataset: with several processes: whether each reads the same data, of which it
            takes its part. False: each reads rows of its own, which together are the data.
        offload: "optimizer": what an optimizer keeps for each weight lies in the memory of the host
            between steps, and on the devices for its update alone. None: all lies on the devices.
    Raises:
        ValueError: another `offload`, or devices for which JAX knows no memory of the host.
    """

    def __init__(
        self,
        device_mesh: DeviceMesh,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        *,
        offload: str | None = None,
    ) -> None:
        check_choice("offload", offload, OFFLOADS, type(self).__name__)
        if offload is not None:
            _check_host_memory(device_mesh, type(self).__name__)
        self.offload = offload
        self.device_mesh = device_mesh
        self.batch_dim_name = batch_dim_name
        self.auto_shard_dataset = auto_shard_dataset
        self.num_processes = jax.process_count()

    @property
    def num_model_replicas(self) -> int:
        """In how many parts a batch is cut."""
        axis = list(self.device_mesh.axis_names).index(self.batch_dim_name)
        return self.device_mesh.devices.shape[axis]

    @property
    def num_data_shards(self) -> int:
        """In how many parts a data set is cut: one for each process, or for several processes that
        share a replica. Of Keras 3.16.
        """
        return min(self.num_model_replicas, self.num_processes)

    @property
    def data_shard_id(self) -> int:
        """Which part of a data set is this process's: processes that hold parts of one replica
        share it.
        """
        return jax.process_index() // max(self.num_processes // self.num_model_replicas, 1)

    def get_data_layout(self, data_shape: Sequence[int | None]) -> TensorLayout:
        """The layout of an array whose first axis is the batch."""
        return TensorLayout(
            [self.batch_dim_name] + [None] * (len(data_shape) - 1), self.device_mesh
        )

    def get_variable_layout(self, variable: "Variable") -> Any:
        """The layout of a variable: the one it was made with, that of its path, or a copy on each
        device.
        """
        layout = variable.layout
        if layout is None:
            layout = self._layout_of(variable)
        if layout is None:
            layout = TensorLayout([None] * len(variable.shape), self.device_mesh)
        return layout

    def _layout_of(self, variable: "Variable") -> TensorLayout | None:
        """The layout that the distribution has for a variable, or None: a copy on each device."""

    def get_slot_layout(self, variable: "Variable") -> Any:
        """The layout between steps of a variable of an optimizer; numbers stay on the devices."""
        layout = variable.layout
        if self.offload is None or not variable.shape or not isinstance(layout, TensorLayout):
            return layout
        return TensorLayout(layout.axes, layout.device_mesh, memory_kind=HOST_MEMORY)

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout of what a layer returns, by its path with "/output"; None: the compiler's
        choice.
        """

    def check_layouts(self) -> None:
        """Warns of layouts that are probably not meant so; called when a step was traced, which
        has asked for all of them.
        """

    def check_processes(self) -> None:
        """Raises ValueError where processes cannot share the replicas of the model evenly."""
        processes, replicas = self.num_processes, self.num_model_replicas
        if processes > replicas and processes % replicas:
            raise ValueError(
                f"{type(self).__name__}: expected the number of processes to be a multiple of the "
                f"number of model replicas. Received: {processes} processes, {replicas} replicas"
            )

    def distribute_dataset(self, dataset: Any) -> Any:
        """The part of a data set that is for this process, in a loop of one's own; with one process
        all of it.

        `fit`, `evaluate` and `predict` take the whole data set: with `auto_shard_dataset` they
        take the rows of a process out of each batch, whatever the kind of data.

        Raises:
            ValueError: a data set that cannot be cut.
        """
        count = self.num_data_shards
        if count == 1 or not self.auto_shard_dataset:
            return dataset
        if not hasattr(dataset, "shard"):
            raise ValueError(
                f"A data set of the type {type(dataset)} cannot be cut into a part for each "
                "process. Expected a method `shard(num_shards, index)`, as those of tf.data and "
                "Hugging Face have. Or give each process its own part, and pass "
                "`auto_shard_dataset=False`."
            )
        # tf.data: the processes' batches together are one batch of before
        if hasattr(dataset, "rebatch"):
            dataset = dataset.rebatch(_share_of_batch(dataset, count))
        return dataset.shard(num_shards=count, index=self.data_shard_id)

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """A `with` block in which this is the session's distribution."""
        before = distribution()
        set_distribution(self)
        try:
            yield
        finally:
            set_distribution(before)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} device_mesh={self.device_mesh}>"


def _check_host_memory(mesh: DeviceMesh, where: str) -> None:
    """Raises ValueError where the devices of a mesh have no memory of their host."""
    devices = mesh.backend_mesh.devices.ravel()
    device = next((d for d in devices if d.process_index == jax.process_index()), devices[0])
    kinds = [memory.kind for memory in device.addressable_memories()]
    if HOST_MEMORY not in kinds:
        expected = f"devices with the memory {HOST_MEMORY!r} for `offload`"
        raise ValueError(explain(where, expected, f"{device.device_kind}, which has {kinds}"))


def _share_of_batch(dataset: Any, count: int) -> int:
    """How many rows of each batch of a data set of tf.data go to each of so many processes."""
    shapes = [spec.shape for spec in jax.tree_util.tree_leaves(dataset.element_spec)]
    sizes = {shape[0] if len(shape) else None for shape in shapes}
    size = sizes.pop()
    if sizes or size is None or size % count:
        raise ValueError(
            f"Expected batches of one known size, a multiple of {count}, to give each process its "
            f"part. Received: batches of {size}. Call `dataset.batch(size, drop_remainder=True)`."
        )
    return size // count


def _mesh_of(device_mesh: DeviceMesh | None, devices: Sequence[Any] | None) -> DeviceMesh:
    """A mesh with one axis, "batch", unless there is one."""
    if device_mesh is None:
        devices = np.array(devices or list_devices())
        return DeviceMesh(devices.shape, ["batch"], devices)
    if not isinstance(device_mesh, DeviceMesh):
        raise ValueError(
            f"Expected `device_mesh` to be a DeviceMesh. Received: {device_mesh} of type "
            f"{type(device_mesh)}"
        )
    return device_mesh


@public("keras.distribution.DataParallel")
class DataParallel(Distribution):
    """Each device takes a part of each batch; all have the whole model.

    Args:
        device_mesh: a `DeviceMesh` of one axis; of several the first counts.
        devices: names of devices, instead; by default all.
        auto_shard_dataset: see `distribute_dataset`.
        offload: see `FSDP`.

    >>> DataParallel(devices=["cpu:0"]).num_model_replicas
    1
    """

    def __init__(
        self,
        device_mesh: DeviceMesh | None = None,
        devices: Sequence[Any] | None = None,
        auto_shard_dataset: bool = True,
        *,
        offload: str | None = None,
    ) -> None:
        mesh = _mesh_of(device_mesh, devices)
        super().__init__(mesh, mesh.axis_names[0], auto_shard_dataset, offload=offload)
        if mesh.devices.ndim != 1:
            warnings.warn(
                f"DataParallel: expected a mesh of one axis, received {mesh}. Batches are cut "
                "along the first.",
                stacklevel=2,
            )


@public("keras.distribution.ModelParallel")
class ModelParallel(Distribution):
    """Variables are cut along axes of the mesh as a `LayoutMap` says, batches along another one.

    Args:
        layout_map: a `LayoutMap` by the paths of variables (`variable.path`) and of layers' outputs
            ("PATH/output").
        batch_dim_name: the axis of the mesh that cuts batches; by default the first.
        auto_shard_dataset: see `distribute_dataset`.
        offload: see `FSDP`.

    >>> layouts = LayoutMap(DeviceMesh((1, 1), ["batch", "model"], ["cpu:0"]))
    >>> layouts[".*dense.*kernel"] = (None, "model")
    >>> ModelParallel(layout_map=layouts).batch_dim_name
    'batch'
    """

    def __init__(
        self,
        *,
        layout_map: LayoutMap | None = None,
        batch_dim_name: str | None = None,
        auto_shard_dataset: bool = True,
        offload: str | None = None,
        **kwargs: Any,
    ) -> None:
        if layout_map is None:
            raise ValueError("ModelParallel: expected a `layout_map`. Received: None")
        if not isinstance(layout_map, LayoutMap):
            raise ValueError(
                "ModelParallel: expected `layout_map` to be a LayoutMap. Received: "
                f"layout_map={layout_map}"
            )
        mesh = layout_map.device_mesh
        super().__init__(
            mesh, batch_dim_name or mesh.axis_names[0], auto_shard_dataset, offload=offload
        )
        self.layout_map = self._layout_map = layout_map  # the second is Keras's
        self.check_processes()

    def _layout_of(self, variable: "Variable") -> TensorLayout | None:
        return self._layout_map[variable.path]

    def get_tensor_layout(self, path: str) -> TensorLayout | None:
        """The layout that the map has for a path, or None."""
        return self._layout_map[path]

    def check_layouts(self) -> None:
        """Warns, once, of keys of the map that match nothing."""
        self._layout_map.warn_of_unused()


@public("keras.distribution.FSDP")
class FSDP(Distribution):
    """Each device takes a part of each batch and holds a part of each variable, which is gathered
    where it is used.

    A variable is cut along its longest axis among those whose length is a multiple of the number of
    devices.

    Of a mesh of several axes the last one cuts variables, and all of them cut batches: of several
    slices, or hosts without a fast network between them, `DeviceMesh((slices, devices of each),
    ["slice", "batch"])` gathers variables within a slice, and only gradients go from one to
    another.

    Args:
        device_mesh: a `DeviceMesh`.
        devices: names of devices, instead; by default all.
        min_size: variables with fewer elements are replicated on each device.
        auto_shard_dataset: see `distribute_dataset`.
        offload: "optimizer": what the optimizer keeps for each weight lies in the memory of the
            host between steps. A step brings it to the devices for the update, and takes it back;
            it is then dispatched alone, not several in a loop. None: it lies on the devices.

    Raises:
        ValueError: another `offload`, or devices for which JAX knows no memory of the host; so it
            is with a `Topology` of GPUs.

    References: Rajbhandari et al. 2020, arXiv:1910.02054; Ren et al. 2021,
    arXiv:2101.06840 (offload); Xu et al. 2021, arXiv:2105.04663.

    >>> FSDP(devices=["cpu:0"]).batch_dim_name
    'batch'
    """

    def __init__(
        self,
        device_mesh: DeviceMesh | None = None,
        devices: Sequence[Any] | None = None,
        min_size: int = 1024,
        auto_shard_dataset: bool = True,
        *,
        offload: str | None = None,
    ) -> None:
        mesh = _mesh_of(device_mesh, devices)
        super().__init__(mesh, mesh.axis_names[-1], auto_shard_dataset, offload=offload)
        self.min_size = min_size

    @property
    def num_model_replicas(self) -> int:
        """In how many parts a batch is cut."""
        return self.device_mesh.devices.size

    def get_data_layout(self, data_shape: Sequence[int | None]) -> TensorLayout:
        """The layout of an array whose first axis is the batch."""
        axes = self.device_mesh.axis_names
        batch = axes[0] if len(axes) == 1 else tuple(axes)
        return TensorLayout([batch] + [None] * (len(data_shape) - 1), self.device_mesh)

    def _layout_of(self, variable: "Variable") -> TensorLayout | None:
        shape = variable.shape
        parts = self.device_mesh.devices.shape[-1]
        divisible = [i for i, size in enumerate(shape) if size % parts == 0]
        if not divisible or np.prod(shape) < self.min_size:
            return None
        axes = [None] * len(shape)
        axes[max(divisible, key=lambda axis: shape[axis])] = self.batch_dim_name
        return TensorLayout(axes, self.device_mesh)
