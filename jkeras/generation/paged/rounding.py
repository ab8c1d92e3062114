"""Keys and values in 8 bits, with a scale for each head and position."""

import jax
import jax.numpy as jnp

LARGEST = {"int8": 127.0, "float8_e4m3fn": 448.0, "float8_e5m2": 57344.0}


def rounded(values: jax.Array, dtype: str) -> tuple[jax.Array, jax.Array]:
    """`(stored, scales)` of values (..., size), with scales (...) in float32.

    >>> stored, scale = rounded(jnp.array([[0.5, -1.0]]), "int8")
    >>> stored.tolist(), [round(x, 4) for x in scale.tolist()]
    ([[64, -127]], [0.0079])
    """
    largest = LARGEST[dtype]
    values = values.astype("float32")
    scale = jnp.max(jnp.abs(values), axis=-1) / largest
    scale = jnp.where(scale == 0, 1.0, scale)
    units = jnp.clip(values / scale[..., None], -largest, largest)
    if dtype == "int8":
        units = jnp.round(units)
    return units.astype(dtype), scale


def restored(stored: jax.Array, scale: jax.Array, dtype: jax.typing.DTypeLike) -> jax.Array:
    """The values in a dtype."""
    return (stored.astype("float32") * scale[..., None]).astype(dtype)
