"""What several families of layers share."""

from jkeras.core import registry
from jkeras.core.layer import Layer
from jkeras.core.record import Kind


class Value(Kind):
    """A field that a config may hold as the config of an object: an array, a function."""

    def read(self, value):
        if isinstance(value, dict) and "class_name" in value:
            return registry.deserialize(value)
        return value


class ReadyLayer(Layer):
    """Base of layers without weights that are built from the start, so that files record no input
    shape for them.
    """

    supports_masking = True
    announces_compute_dtype = True
    keeps_samples = True

    def __post_init__(self):
        if type(self).build is Layer.build:  # a subclass that builds something wants to be asked
            self.built = True


class DataLayer(Layer):
    """Base of preprocessing layers, which may also be called on plain lists, outside of models."""

    allow_non_tensor_positional_args = True

    def convert_weight(self, weight):
        """The weight as it is: there is one backend."""
        return weight


def activated(layer, y):
    """y behind the layer's activation; None, which programs set to take the head's off, is none."""
    if layer.activation is None:
        return y
    return layer.activation(y)


def sizes(value, n, name, where, zero=False):
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
