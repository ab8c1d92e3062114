"""What a model is called with, made of tokens: the array alone, or a dict of what packed rows have
beside it, or what an encoder has.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.graph.graph import graph_of
from jkeras.core.graph.halves import ENCODER, ForDecoder, halves_of, inputs_by_name
from jkeras.generation.memory import Memory

TOKENS = "tokens", "token_ids", "input_ids"
POSITIONS = "positions", "position_ids"
SEGMENTS = ("segment_ids",)
ARE_THERE = "padding_mask", "attention_mask"
KNOWN = (*TOKENS, *SEGMENTS, *POSITIONS, *ARE_THERE)
DECODER = "decoder_"  # which inputs of a decoder may have before these names


def input_shapes(model: Any) -> dict[str, tuple] | tuple | None:
    """The shape of a model's input, or those of its inputs by name; None: it does not say."""
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) > 1:
        named = {tensor.name: tensor for tensor in inputs}
        if graph_of(model) is not None:
            named = inputs_by_name(model)
        return {name: tuple(tensor.shape) for name, tensor in named.items()}
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, Mapping):
        return {name: tuple(size) for name, size in shape.items()}
    if isinstance(shape, tuple) and len(shape) == 2:
        return shape
    if inputs:
        return None
    return _built_shapes(model)


def _built_shapes(model: Any) -> dict[str, tuple] | None:
    """The shapes of a dict that a model without a graph was built for, of some length: it takes
    others. None: it was built for no dict.
    """
    built = (model.get_build_config() or {}).values()
    of_dict = next((shapes for shapes in built if isinstance(shapes, Mapping)), None)
    return None if of_dict is None else dict.fromkeys(of_dict, (None, None))


def source_names(model: Any) -> list[str]:
    """The inputs of the model's encoder; without one there are none."""
    shapes = input_shapes(model)
    return [name for name in shapes if name.startswith(ENCODER)] if isinstance(shapes, dict) else []


def kinds_of(model: Any) -> dict[str, str]:
    """{input of tokens: its name without what a decoder has before it}, the encoder's aside."""
    names = [name for name in input_shapes(model) if not name.startswith(ENCODER)]
    return {name: name.removeprefix(DECODER) for name in names}


def tokens_name(model: Any) -> str:
    """The name of a decoder's tokens among several inputs."""
    return next(name for name, kind in kinds_of(model).items() if kind in TOKENS)


def check_inputs(model: Any) -> None:
    """Raises ValueError for a model with an input that does not follow from tokens."""
    shapes = input_shapes(model)
    if not isinstance(shapes, dict):
        return
    kinds = list(kinds_of(model).values())
    if set(kinds) - set(KNOWN) or len([kind for kind in kinds if kind in TOKENS]) != 1:
        names = ", ".join(f"'{name}'" for name in KNOWN)
        expected = f"a model with one input of tokens; inputs by the names {names} are known, "
        expected += f"of a decoder also behind '{DECODER}', and any that begin with '{ENCODER}'"
        raise ValueError(explain("Generator", expected, f"inputs {sorted(shapes)}"))


def fixed_length(model: Any) -> int | None:
    """The length of the model's input, where it is one."""
    shapes = input_shapes(model)
    if isinstance(shapes, dict):
        kinds = kinds_of(model).items()
        shapes = next((shapes[name] for name, kind in kinds if kind in TOKENS), None)
    return None if shapes is None else shapes[1]


def inputs_of(
    model: Any,
    tokens: jax.Array,
    positions: jax.Array,
    segments: jax.Array,
    memory: Memory | None = None,
) -> Any:
    """What a model is called with.

    Args:
        tokens, positions: (batch, time).
        segments: (batch, time), 1 where a token is, 0 for padding.
        memory: what an encoder gave, where there is one.

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
    halves = halves_of(model)
    if halves is not None:
        made |= dict.fromkeys(ARE_THERE, segments)
        values = [
            _of_dtype(made[name.removeprefix(DECODER)], tensor.dtype)
            for name, tensor in halves.others.items()
        ]
        return ForDecoder(memory.encoded, values)
    made |= dict.fromkeys(ARE_THERE, segments.astype(bool))
    inputs = {name: made[kind] for name, kind in kinds_of(model).items()}
    if memory is not None:
        inputs |= zip(source_names(model), memory.encoded.values)
    return inputs


def _of_dtype(x: jax.Array, dtype: Any) -> jax.Array:
    """An array in a dtype, itself where it has it."""
    return x if x.dtype == dtype else x.astype(dtype)


def whole_inputs(
    model: Any, tokens: jax.Array, lengths: jax.Array, memory: Memory | None = None
) -> Any:
    """What a model is called with for whole texts (batch, time) of these lengths."""
    positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    segments = (positions < lengths[:, None]).astype("int32")
    return inputs_of(model, tokens, positions, segments, memory)
