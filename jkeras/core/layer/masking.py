"""Masks that travel beside arrays, from a layer's inputs to its outputs."""

import warnings
from typing import Any

import jax

from jkeras.core.graph import keras_tensor
from jkeras.core.run.call import is_array
from jkeras.core.names.dtypes import is_float
from jkeras.core.graph.sparse import is_sparse
from jkeras.kernel.beside import mask_beside
from jkeras.kernel.scope import current_flow


def compute_mask(self: Any, inputs: Any, previous_mask: Any) -> Any:
    """The mask of the output, from the input and its mask."""
    return previous_mask


def pass_masks(layer, run, call, outputs) -> None:
    """Lets the masks of a layer's outputs travel beside them, where it makes or passes on some."""
    if call.mask is None and layer.hands_masks_on(type(layer)):
        return
    if layer.supports_masking:
        _set_masks(layer, run, call, outputs)
    elif run.is_eager and any(mask is not None for mask in keras_tensor.flatten(call.mask)):
        warnings.warn(
            f"Layer '{layer.name}' (of type {type(layer).__name__}) was passed an input with a "
            "mask, with which it does nothing, since it does not support masking: those that "
            "follow will see none.",
            stacklevel=6,
        )


def _set_masks(layer, run, call, outputs):
    if isinstance(outputs, jax.Array):
        values = [outputs]
    else:
        values = [value for value in keras_tensor.flatten(outputs) if value is not None]
    if type(None) not in map(type, map(run.mask_of, values)):
        return
    masks = layer.compute_mask(call.first, call.mask)
    if masks is None:
        return
    masks = [masks] if is_array(masks) else list(keras_tensor.flatten(masks))
    for value, mask in zip(values, masks):
        if mask is not None and run.mask_of(value) is None:
            run.set_mask(value, mask)


def converted(self: Any, x: Any) -> Any:
    """An input of a layer as an array, floats in the layer's compute dtype."""
    if not self.converts_inputs:
        return x
    if not isinstance(x, jax.Array):
        x = keras_tensor.as_tensor(x, self.type_of_numbers)
    elif x.dtype is vars(self)["_dtype_policy"].plain_dtype:
        return x
    is_cast = self.autocast and self.traits.computes_in_float
    return cast_with_mask(x, self.compute_dtype) if is_cast else x


def cast_with_mask(x, dtype):
    """A float array in another dtype, its mask beside it; anything else as it is."""
    if not isinstance(x, jax.Array) and not is_sparse(x):
        return x
    if not is_float(x.dtype) or str(x.dtype) == dtype:
        return x
    mask = mask_beside(x)
    y = x.astype(dtype)
    flow = current_flow()
    if mask is not None and flow is not None:
        flow.set_mask(y, mask)
    return y
