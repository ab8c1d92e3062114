"""What a model is called with, made of tokens: the array alone, or a dict of what packed rows have
beside it.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain

TOKENS = "tokens", "token_ids", "input_ids"
POSITIONS = "positions", "position_ids"
SEGMENTS = ("segment_ids",)
ARE_THERE = "padding_mask", "attention_mask"
KNOWN = (*TOKENS, *SEGMENTS, *POSITIONS, *ARE_THERE)


def input_shapes(model: Any) -> dict[str, tuple] | tuple | None:
    """The shape of a model's input, or those of its inputs by name; None: it does not say."""
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) > 1:
        return {tensor.name: tuple(tensor.shape) for tensor in inputs}
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, Mapping):
        return {name: tuple(size) for name, size in shape.items()}
    if isinstance(shape, tuple) and len(shape) == 2:
        return shape
    if inputs:
        return None
    return _of_a_dict(model)


def _of_a_dict(model: Any) -> dict[str, tuple] | None:
    """The inputs of a model without a graph: it was built for a dict of them of some length, and
    takes others.
    """
    built = (model.get_build_config() or {}).values()
    of_dict = next((shapes for shapes in built if isinstance(shapes, Mapping)), None)
    return None if of_dict is None else dict.fromkeys(of_dict, (None, None))


def check_inputs(model: Any) -> None:
    """Raises ValueError for a model with an input that does not follow from tokens."""
    shapes = input_shapes(model)
    if not isinstance(shapes, dict):
        return
    unknown = sorted(set(shapes) - set(KNOWN))
    if unknown or len(set(shapes) & set(TOKENS)) != 1:
        names = ", ".join(f"'{name}'" for name in KNOWN)
        expected = f"a model with one input of tokens; inputs by the names {names} are known"
        raise ValueError(explain("Generator", expected, f"inputs {sorted(shapes)}"))


def fixed_length(model: Any) -> int | None:
    """The length of the model's input, where it is one."""
    shapes = input_shapes(model)
    if isinstance(shapes, dict):
        shapes = next((shapes[name] for name in TOKENS if name in shapes), None)
    return None if shapes is None else shapes[1]


def inputs_of(model: Any, tokens: jax.Array, positions: jax.Array, segments: jax.Array) -> Any:
    """What a model is called with.

    Args:
        tokens, positions: (batch, time).
        segments: (batch, time), 1 where a token is, 0 for padding.

    >>> import jkeras
    >>> ids = jnp.ones((1, 2), "int32")
    >>> inputs_of(jkeras.Sequential([jkeras.Input((None,))]), ids, ids, ids) is ids
    True
    """
    shapes = input_shapes(model)
    if not isinstance(shapes, dict):
        return tokens
    made = dict.fromkeys(TOKENS, tokens) | dict.fromkeys(POSITIONS, positions)
    made |= dict.fromkeys(SEGMENTS, segments)
    made |= {name: segments.astype(bool) for name in ARE_THERE if name in shapes}
    return {name: made[name] for name in shapes}


def whole_inputs(model: Any, tokens: jax.Array, lengths: jax.Array) -> Any:
    """What a model is called with for whole texts (batch, time) of these lengths."""
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    segments = (positions < lengths[:, None]).astype("int32")
    return inputs_of(model, tokens, positions, segments)
