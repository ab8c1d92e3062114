"""What several families of layers share."""

from typing import Any

import jax

from jkeras import activations
from jkeras.core.names import registry
from jkeras.core.errors import ArgumentError
from jkeras.core.layer import Layer
from jkeras.core.record import Kind
from jkeras.core.weights.types import Function, PerAxis, Sizes


KEEP_SHAPE = frozenset(
    function
    for name, function in vars(activations).items()
    if name in activations.__all__ and name not in ("deserialize", "get", "glu", "serialize")
)


class Value(Kind):
    """A field that a config may hold as the config of an object: an array, a function."""

    def read(self, value: Any) -> Any:
        if isinstance(value, dict) and "class_name" in value:
            return registry.deserialize(value)
        return value


def refuse_others(cls, arguments: dict[str, Any], accepted: tuple[str, ...] = ()) -> None:
    """Raises ArgumentError for arguments of all layers that the constructor of a class has not.

    Args:
        arguments: dict of the arguments by name that are no fields.
        accepted: of these, the names of those that it takes.

    >>> refuse_others(Layer, {"name": "a"}, ("name",))
    """
    others = {name: value for name, value in arguments.items() if name not in accepted}
    # what older Keras wrote into configs of first layers
    others.pop("batch_input_shape", None)
    if others:
        raise ArgumentError(
            f"Unrecognized keyword arguments passed to {cls.__name__}: {others}. Beside its own it "
            f"takes {', '.join(accepted)}."
        )


class ReadyLayer(Layer, announces_compute_dtype=True, is_batchwise=True):
    """Base of layers without weights that are built from the start, so that files record no input
    shape for them.
    """

    supports_masking = True

    def __post_init__(self) -> None:
        if type(self).build is Layer.build:  # a subclass that builds something wants to be asked
            self.built = True


class DataLayer(Layer):
    """Base of preprocessing layers, which may also be called on plain lists, outside of models."""

    allow_non_tensor_positional_args = True

    def convert_weight(self, weight: Any) -> Any:
        """The weight as it is: there is one backend."""
        return weight


def activated(layer: Layer, y: jax.Array) -> jax.Array:
    """y behind the layer's activation; None, which programs set to take the head's off, is none."""
    activation = layer.activation
    if activation is None or activation is activations.linear:
        return y
    return activation(y)


def keeps_shape(activation: Function | None) -> bool:
    """Whether an activation, or None, always gives an array of the shape that it takes.

    >>> keeps_shape(activations.relu), keeps_shape(activations.glu), keeps_shape(lambda x: x)
    (True, False, False)
    """
    return activation is None or activation in KEEP_SHAPE


def spatial_axes(rank: int, data_format: str) -> tuple[int, ...]:
    """The axes of an image, a series or a volume between its samples and its channels, or behind.

    >>> spatial_axes(2, "channels_last"), spatial_axes(2, "channels_first")
    ((1, 2), (2, 3))
    """
    first = 1 if data_format == "channels_last" else 2
    return tuple(range(first, first + rank))


def shape_of_windows(
    layer: Layer, shape: Sizes, windows: PerAxis, strides: PerAxis
) -> list[Any] | None:
    """A shape with the numbers of windows in place of its spatial sizes (None where these are
    unknown), for the layer's `rank`, `padding` and `data_format`; None where there are no windows.
    """
    shape = list(shape)
    axes = spatial_axes(layer.rank, layer.data_format)
    for axis, window, stride in zip(axes, windows, strides):
        if shape[axis] is None:
            continue
        if layer.padding == "valid":
            shape[axis] -= window - 1
        shape[axis] = -(-shape[axis] // stride)
        if shape[axis] < 1:
            return None
    return shape


def sizes(value: Any, n: int, name: str, where: str, zero: bool = False) -> tuple[int, ...]:
    """`n` integers from one integer or `n` of them.

    Args:
        name: the argument, for messages.
        zero: whether 0 is allowed.

    >>> sizes(2, 3, "size", "UpSampling3D")
    (2, 2, 2)
    """
    kind, lowest, sign = "positive", 1, "> 0"
    if zero:
        kind, lowest, sign = "non-negative", 0, ">= 0"
    try:
        items = (value,) * n if isinstance(value, int) else tuple(value)
        ok = len(items) == n
        low = {v for v in items if int(v) < lowest}
    except (TypeError, ValueError):
        ok, low = False, ()
    if low or not ok:
        among = ""
        if low:
            among = f", including values {low} that do not satisfy `value {sign}`"
        raise ValueError(
            f"{where}: The `{name}` argument must be a tuple of {n} integers. Received "
            f"{name}={value!r}{among}. To fix it: give one {kind} integer or {n} of them."
        )
    return items
