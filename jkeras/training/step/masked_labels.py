"""Labels of steps that a mask may leave out: these may be anything."""

from typing import Any

import numpy as np

from jkeras.core.layer import Layer
from jkeras.core.layer.view import layers_of
from jkeras.core.run.tracebacks import is_built_in
from jkeras.layers import Masking


def has_masks(model: Any) -> bool:
    """Whether a layer of a model begins a mask.

    >>> import jkeras
    >>> has_masks(jkeras.Sequential([jkeras.layers.Embedding(9, 2, mask_zero=True)]))
    True
    """
    return any(map(_begins_mask, layers_of(model)))


def _begins_mask(layer: Any) -> bool:
    """Whether a layer makes a mask of what is no mask; a user's own may, if it says what its mask
    is.
    """
    own = not is_built_in(layer) and type(layer).compute_mask is not Layer.compute_mask
    return own or isinstance(layer, Masking) or bool(getattr(layer, "mask_zero", False))


def has_steps(y: np.ndarray) -> bool:
    """Whether each row of labels has several, of which a mask may leave out some.

    >>> has_steps(np.ones((8, 5, 1))), has_steps(np.ones((8, 1)))
    (True, False)
    """
    return y.ndim > 1 and y.shape[1] > 1
