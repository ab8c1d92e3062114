"""`keras.activations`: activation functions, by name, config or as they are."""

from jkeras.activations.activations import (celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu,
                                            hard_tanh, leaky_relu, linear, log_sigmoid, log_softmax, mish, relu, relu6,
                                            selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign, sparse_plus,
                                            sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold)
from jkeras.core import registry
from jkeras.core.registry import public

swish, hard_swish = silu, hard_silu

BUILT_IN = (celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear,
            log_sigmoid, log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign,
            sparse_plus, sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold)


class Activations(registry.Family):
    """The family of activation functions: a built-in one is written as its bare name."""

    def serialize(self, obj):
        """The name of a built-in function, the config of anything else."""
        name = getattr(obj, "__name__", None)
        if self.aliases.get(name) is obj:
            return name
        return super().serialize(obj)


FAMILY = Activations("activations", "activation function",
                     {f.__name__: f for f in BUILT_IN} | {"swish": silu, "hard_swish": hard_silu}, none=linear)


@public("keras.activations.get")
def get(identifier):
    """The activation function that a name, config, function or None (linear) stands for.

    Raises:
        ValueError: nothing of that name, or not callable.

    >>> get("relu")([-1.0, 1.0])
    Array([0., 1.], dtype=float32)
    """
    return FAMILY.get(identifier)


@public("keras.activations.serialize")
def serialize(activation):
    """The name of a built-in activation function, or the config of another.

    >>> serialize(relu)
    'relu'
    """
    return FAMILY.serialize(activation)


@public("keras.activations.deserialize")
def deserialize(config, custom_objects=None):
    """The activation function of a name or config.

    >>> deserialize("relu") is relu
    True
    """
    return FAMILY.deserialize(config, custom_objects)


__all__ = [
    "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6",
    "selu", "serialize", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink", "threshold",
]
