"""Keras's pure contract of a layer: the forward pass on flat lists of values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jkeras.kernel.scope import current_flow
from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.run.call import target_of
from jkeras.core.errors import NotBuiltError, place_of
from jkeras.core.session.keras_version import is_316


def stateless_call(
    self: Any,
    trainable_variables: Sequence[Any],
    non_trainable_variables: Sequence[Any],
    *args: Any,
    return_losses: bool = False,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """The forward pass on flat lists of values, as Keras has it. Inside another layer's `call` it
    trains where that does: if Keras 3.16 is followed, or its own `call` takes no `training`.

    Returns:
        (outputs, new non-trainable values), and the losses where `return_losses` is set.
    """
    if not self.built:
        raise NotBuiltError(
            f"stateless_call takes the values of variables, and {type(self).__name__} has none "
            "yet: it must be built. Call it on some data, or `build` it."
        )
    fixed = self.non_trainable_variables
    trainable = (self.trainable_variables, trainable_variables, "trainable_variables")
    values = ByVariable()
    for group in (trainable, (fixed, non_trainable_variables, "non_trainable_variables")):
        for variable, value in _checked(self, *group):
            values.set(variable, value)
    with self.flow_type(self, values, training=_training_around(self)) as run:
        run.bare = True
        outputs = run.call(self, args, kwargs)
        losses = self.losses if return_losses else None
    updated = run.values.of(fixed)
    return (outputs, updated, losses) if return_losses else (outputs, updated)


def _training_around(layer):
    """What layers in this one take for `training` where it is not said: what the layer around is
    told; in Keras 3.15 None, where this one's own `call` takes it.
    """
    around = current_flow()
    is_asked = "training" in target_of(type(layer)).context and not is_316()
    if around is None or is_asked:
        return None
    return around.training


def _checked(layer, variables, values, name):
    """(variable, value) pairs, as many and of the shapes that the variables have."""
    values = [getattr(x, "value", x) for x in values]
    if len(variables) != len(values):
        raise ValueError(
            f"Argument `{name}` must be a list of tensors corresponding 1:1 to "
            f"{type(layer).__name__}().{name}. Received list with length {len(values)}, but "
            f"expected {len(variables)} variables."
        )
    for variable, value in zip(variables, values):
        if np.shape(value) != tuple(variable.shape):
            raise ValueError(
                f"stateless_call of {place_of(layer)}: the value for '{variable.path}' in "
                f"`{name}` must have its shape {tuple(variable.shape)}. Received: shape "
                f"{np.shape(value)}."
            )
    return list(zip(variables, values))
