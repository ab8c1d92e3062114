"""`rearrange`: reshape and transpose by a pattern of axis names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jkeras.core.graph.op import op
from jkeras.core.names.registry import public
from jkeras.core.weights.types import Sizes, TensorLike


def _groups(side: str) -> list[list[str]]:
    """ "b (h w) c" -> [["b"], ["h", "w"], ["c"]]."""
    return [token.strip("()").split() for token in re.findall(r"\w+|\([^)]*\)", side)]


@op("keras.src.ops.einops", inputs=1, class_name="Rearrange")
def _rearrange(tensor: TensorLike, pattern: str, axes_lengths: Mapping[str, int]) -> jax.Array:
    x = jnp.asarray(tensor)
    if pattern.count("->") != 1:
        raise ValueError(
            "Expected a pattern with one '->', such as 'b h w c -> b (h w) c'. Received: "
            f"{pattern!r}"
        )
    source_groups, target_groups = map(_groups, pattern.split("->"))
    source_names = sum(source_groups, [])
    target_names = sum(target_groups, [])
    if len(source_groups) != x.ndim or sorted(source_names) != sorted(target_names):
        raise ValueError(
            f"The pattern {pattern!r} must name each of the {x.ndim} axes of x on the left, and "
            f"the same names on both sides. Received: x.shape={x.shape}"
        )
    sizes = _sizes(source_groups, x.shape, axes_lengths, pattern)
    x = x.reshape([sizes[name] for name in source_names])
    x = x.transpose([source_names.index(name) for name in target_names])
    return x.reshape([math.prod(sizes[name] for name in group) for group in target_groups])


def _sizes(
    groups: list[list[str]], shape: Sizes, axes_lengths: Mapping[str, int], pattern: str
) -> dict[str, int]:
    """{name: size} of all axes of the left side."""
    sizes = dict(axes_lengths)
    for group, size in zip(groups, shape):
        unknown = [name for name in group if name not in sizes]
        if len(unknown) > 1:
            raise ValueError(f"Pass the sizes of all but one of the axes {group} in {pattern!r}.")
        if unknown:
            static = math.prod(sizes[name] for name in group if name not in unknown)
            sizes[unknown[0]] = size // static
    return sizes


@public("keras.ops.rearrange")
def rearrange(tensor: TensorLike, pattern: str, **axes_lengths: int) -> jax.Array:
    """Splits, reorders and joins axes by name, as in einops.

    Args:
        tensor: array.
        pattern: "b (h w) c -> b h w c": brackets stand for one axis made of several.
        axes_lengths: sizes of axes that a split does not determine.
    Returns:
        Array with the axes of the right side.
    Raises:
        ValueError: a pattern that does not fit.

    >>> rearrange(jnp.ones((2, 12, 3)), "b (h w) c -> b c h w", h=4).shape
    (2, 3, 4, 3)
    """
    return _rearrange(tensor, pattern, axes_lengths)
