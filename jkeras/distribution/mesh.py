"""Meshes of devices, and how an array lies on one."""

import collections.abc
import contextlib
import difflib
import math
import re
import warnings
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.patterns import fitting
from jkeras.core.names.registry import public


@public("keras.distribution.list_devices")
def list_devices(device_type: str | None = None) -> list[str]:
    """The names of the devices of all processes: "cpu:0", "gpu:0", …

    Args:
        device_type: "cpu", "gpu" or "tpu"; by default the best kind there is.

    >>> list_devices("cpu")[0]
    'cpu:0'
    """
    return [f"{device.platform}:{device.id}" for device in _devices(device_type)]


@public("keras.distribution.get_device_count")
def get_device_count(device_type: str | None = None) -> int:
    """The number of devices of all processes; argument as for `list_devices`.

    >>> get_device_count("cpu") == len(list_devices("cpu"))
    True
    """
    return len(_devices(device_type))


def _devices(device_type: str | None) -> list[jax.Device]:
    if not device_type:
        return jax.devices()
    return jax.devices(device_type.lower())


def as_device(device: Any) -> jax.Device:
    """A JAX device from its name or itself.

    >>> as_device("cpu:0").id
    0
    """
    if isinstance(device, jax.Device):
        return device
    platform, _, number = str(device).partition(":")
    for candidate in jax.devices(platform):
        if candidate.id == int(number or 0):
            return candidate
    raise ValueError(f"There is no device {device!r}. Expected one of {list_devices(platform)}.")


@public("keras.distribution.DeviceMesh")
class DeviceMesh:
    """Devices in a grid whose axes have names, such as 4 for parts of the batch times 2 for parts
    of the model.

    Args:
        shape: tuple of the axes' sizes; their product is the number of devices.
        axis_names: list of the axes' names.
        devices: names or JAX devices; by default all.
    Raises:
        ValueError: sizes and names, or sizes and devices, that do not fit.

    >>> DeviceMesh((1,), ["batch"], ["cpu:0"])
    <DeviceMesh shape=(1,), axis_names=['batch']>
    """

    def __init__(
        self,
        shape: collections.abc.Sequence[int],
        axis_names: collections.abc.Sequence[str],
        devices: Any = None,
    ) -> None:
        if not shape or not axis_names:
            raise ValueError(
                f"Shape and axis_names cannot be empty. Received: shape={shape}, "
                f"axis_names={axis_names}"
            )
        if len(shape) != len(axis_names):
            raise ValueError(
                "Shape and axis_names should have same size, one name for each axis. Received: "
                f"shape={shape}, axis_names={axis_names}"
            )
        if devices is None:
            devices = list_devices()
        devices = np.array(devices)
        if math.prod(shape) != devices.size:
            raise ValueError(
                "Shape does not match the number of devices: a mesh of shape "
                f"{tuple(shape)} takes {math.prod(shape)}. Received: {devices.size} devices"
            )
        self.shape = shape
        self.axis_names = axis_names
        self.devices = devices.reshape(shape)
        self._mesh = None

    @property
    def backend_mesh(self) -> jax.sharding.Mesh:
        """The mesh as JAX knows it."""
        if self._mesh is None:
            devices = np.array([as_device(device) for device in self.devices.ravel()])
            grid = devices.reshape(self.devices.shape)
            self._mesh = jax.sharding.Mesh(grid, tuple(self.axis_names))
        return self._mesh

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_mesh": None}  # JAX's devices cannot be copied

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shape={self.shape}, axis_names={self.axis_names}>"


def mesh_beside_batch(
    where: str,
    axis: str,
    parts: int | None,
    devices: collections.abc.Sequence[Any] | None,
    argument: str,
) -> DeviceMesh:
    """A mesh ["batch", axis]: so many devices along the second axis, the others along the first.

    Args:
        where: the distribution, for errors.
        parts: None: all devices.
        devices: names of devices, or JAX's; None: all.
        argument: the name of the argument `parts`.
    Raises:
        ValueError: parts that do not divide the number of devices.

    >>> mesh_beside_batch("Distribution", "model", None, ["cpu:0"], "model")
    <DeviceMesh shape=(1, 1), axis_names=['batch', 'model']>
    """
    devices = np.array(list_devices() if devices is None else devices)
    parts = devices.size if parts is None else parts
    if parts < 1 or devices.size % parts:
        expected = f"`{argument}` to divide the number of devices, {devices.size}"
        raise ValueError(explain(where, expected, f"{argument}={parts}"))
    return DeviceMesh((devices.size // parts, parts), ["batch", axis], devices)


@public("keras.distribution.TensorLayout")
class TensorLayout:
    """Along which axes of a mesh the axes of an array are cut.

    Args:
        axes: for each axis of the array the name of an axis of the mesh (or a tuple of names), or
            None: not cut.
        device_mesh: a `DeviceMesh`; may be set later, once.
        memory_kind: as JAX names it: "pinned_host" is the memory of the devices' hosts; None: of
            the devices.
    Raises:
        ValueError: for a name that the mesh does not have.

    >>> TensorLayout((None, "model")).axes
    (None, 'model')
    """

    def __init__(
        self,
        axes: collections.abc.Iterable[str | tuple[str, ...] | None],
        device_mesh: DeviceMesh | None = None,
        *,
        memory_kind: str | None = None,
    ) -> None:
        self.axes = tuple(axes)
        self.memory_kind = memory_kind
        self._device_mesh = device_mesh
        self._check()

    @property
    def device_mesh(self) -> DeviceMesh | None:
        """The mesh, or None."""
        return self._device_mesh

    @device_mesh.setter
    def device_mesh(self, device_mesh: DeviceMesh | None) -> None:
        if self._device_mesh is not None:
            raise ValueError(f"The mesh of a layout can be set once. It is {self._device_mesh}")
        self._device_mesh = device_mesh
        self._check()

    def _check(self) -> None:
        if self._device_mesh is None:
            return
        axis_names = set(self._device_mesh.axis_names)
        used = set()
        for axis in self.axes:
            if isinstance(axis, tuple):
                used.update(axis)
            elif axis is not None:
                used.add(axis)
        if used - axis_names:
            raise ValueError(
                f"Invalid axis names for Layout: expected names among {sorted(axis_names)}, "
                f"received {sorted(used)}"
            )

    @property
    def backend_layout(self) -> jax.sharding.NamedSharding:
        """The layout as JAX knows it: a `NamedSharding`."""
        if self._device_mesh is None:
            raise ValueError("A layout without a mesh says nothing yet: set its `device_mesh`.")
        mesh, spec = self._device_mesh.backend_mesh, jax.sharding.PartitionSpec(*self.axes)
        return jax.sharding.NamedSharding(mesh, spec, memory_kind=self.memory_kind)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} axes={self.axes}, device_mesh={self.device_mesh}>"


@public("keras.distribution.LayoutMap")
class LayoutMap(collections.abc.MutableMapping):
    """Layouts by the paths of variables or tensors; a key is a path or a regular expression of
    whole paths.

    Args:
        device_mesh: the mesh of layouts that come without one.

    >>> layouts = LayoutMap(DeviceMesh((1,), ["model"], ["cpu:0"]))
    >>> layouts[".*dense.*kernel"] = (None, "model")
    >>> layouts["net/dense_1/kernel"].axes, layouts["net/conv/kernel"]
    ((None, 'model'), None)
    """

    def __init__(self, device_mesh: DeviceMesh | None) -> None:
        self._layouts = {}
        self.device_mesh = device_mesh
        self._used, self._asked = set(), {}  # keys that matched; paths, in order
        self._has_warned = False

    def __getitem__(self, key: str) -> TensorLayout | None:
        """The layout for a path, or None.

        Raises:
            ValueError: several keys match.
        """
        self._asked[key] = None
        if key in self._layouts:
            self._used.add(key)
            return self._layouts[key]
        matching = fitting(self._layouts, key)
        if len(matching) > 1:
            raise ValueError(
                f"Path '{key}' matches multiple layout keys: {matching}. Make them so that each "
                "path matches one at most."
            )
        if not matching:
            return None
        self._used.add(matching[0])
        return self._layouts[matching[0]]

    def warn_of_unused(self) -> None:
        """Says, once, which keys have matched nothing of all that was asked for."""
        unused = [key for key in self._layouts if key not in self._used]
        if not unused or self._has_warned:
            return
        self._has_warned = True
        keys = "; ".join(f"{key!r}{self._meant(key)}" for key in unused)
        warnings.warn(
            f"Keys of the LayoutMap that match no variable and no output: {keys}. A key is matched "
            "with the whole path.",
            stacklevel=2,
        )

    def _meant(self, key: str) -> str:
        """The paths that a key may have been meant for, in words."""
        with contextlib.suppress(re.error):
            inside = [path for path in self._asked if re.search(key, path)]
            if inside:
                return f" (a part of {inside[0]!r} matches: write {'.*' + key!r})"
        near = difflib.get_close_matches(key, self._asked, 3, 0.5)
        return f" (is it {' or '.join(map(repr, near))}?)" if near else ""

    def __setitem__(self, key: str, layout: Any) -> None:
        if key in self._layouts:
            raise ValueError(
                f"{key} already exist in the LayoutMap, with the value {self._layouts[key]}."
            )
        if isinstance(layout, tuple):
            layout = TensorLayout(layout)
        if not isinstance(layout, TensorLayout):
            raise ValueError(
                f"The value of {key} should be a TensorLayout or a tuple of names. Received: "
                f"{layout} of type {type(layout)}"
            )
        if layout.device_mesh is None and self.device_mesh is not None:
            layout.device_mesh = self.device_mesh
        self._layouts[key] = layout

    def __delitem__(self, key: str) -> None:
        del self._layouts[key]

    def __len__(self) -> int:
        return len(self._layouts)

    def __iter__(self) -> collections.abc.Iterator[str]:
        return iter(self._layouts)
