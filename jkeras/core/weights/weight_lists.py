"""The weights of a layer as Keras's flat lists, and the losses that belong to them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jkeras.core.weights.assigning import assign_all
from jkeras.core.errors import NotBuiltError
from jkeras.core.weights.variable import values_of
from jkeras.kernel.scope import current_flow


def get_weights(self: Any) -> list[np.ndarray]:
    """The values of `weights`, as numpy arrays."""
    if current_flow() is None:
        return list(map(np.asarray, values_of(self.weights)))
    return [np.asarray(variable.value) for variable in self.weights]


def set_weights(self: Any, weights: Sequence[Any]) -> None:
    """Sets the values of `weights`, from arrays in the same order.

    Raises:
        ValueError: another number of arrays, or another shape. After any error nothing is changed.
    """
    variables = self.weights
    if len(variables) != len(weights):
        raise ValueError(
            f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of "
            f"length {len(weights)}, but the layer was expecting {len(variables)} weights."
        )
    for variable, value in zip(variables, weights):
        if tuple(variable.shape) != tuple(np.shape(value)):
            raise ValueError(
                f"Layer {self.name} weight shape {tuple(variable.shape)} is not compatible "
                f"with provided weight shape {tuple(np.shape(value))} (weight "
                f"'{variable.path}')."
            )
    assign_all(zip(variables, weights))
    self.set_untracked(_state_kept=True)


def count_params(self: Any) -> int:
    """The number of scalars in the weights."""
    if not self.built:
        raise NotBuiltError(
            f"You tried to call `count_params` on layer '{self.name}', but the layer isn't "
            "built. Build it with `layer.build(input_shape)` or by calling it on an input."
        )
    return sum(variable.size for variable in self.weights)


def added_losses(layers: Iterable[Any]) -> list:
    """The losses that some layers added, in the pass that is going on or in the last
    call by hand.
    """
    flow = current_flow()
    losses = []
    for part in layers:
        if flow is None:
            losses += part._losses
        else:
            losses += [value for owner, value in flow.losses if owner is part]
    return losses


def penalties(layer: Any) -> list:
    """What the regularizers of the trainable weights give."""
    weights = layer.trainable_weights
    return [v.regularizer(v.value) for v in weights if v.regularizer is not None]
