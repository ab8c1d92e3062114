"""The tokens of an image: its patches, others before them, and where each patch is."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.core.run.context import Context
from jkeras.initializers import RandomNormal, Zeros
from jkeras.kernel.spec import Spec, Weight
from jkeras.saving.hugging_face.native.vision_plans import Patches


class PatchTokens(Layer):
    """Projected patches (batch, rows, columns, width) as tokens (batch, time, width).

    Positions of an image of another size are those of the plan's size, interpolated by cubic
    polynomials as transformers does it (`interpolate_pos_encoding`).

    Args:
        plan: what stands before the patches, and how many positions there are.
    """

    def __init__(self, plan: Patches, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set_untracked(plan=plan)

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        plan, width, start = self.plan, x.shape[-1], RandomNormal(stddev=0.02)
        shape = (plan.positions, width)
        specs = {"positions": self.weight("positions", shape, initializer=start)}
        if plan.class_token:
            specs["class_token"] = self.weight("class_token", (width,), initializer=start)
        if plan.registers:
            shape = (plan.registers, width)
            specs["registers"] = self.weight("registers", shape, initializer=start)
        if plan.mask_token:
            mask = self.weight("mask_token", (width,), initializer=Zeros(), trainable=False)
            specs["mask_token"] = mask
        return specs

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        batch, rows, columns, width = x.shape
        if not rows * columns:
            expected = "images of at least one patch"
            raise ValueError(explain(self._where, expected, f"{rows} by {columns} patches"))
        count = int(self.plan.class_token)
        first, places = w["positions"][:count], w["positions"][count:]
        places = self._interpolated(places, (rows, columns))
        tokens = [x.reshape(batch, rows * columns, width) + places.reshape(-1, width)]
        if self.plan.registers:
            tokens.insert(0, _for_each(w["registers"], batch))
        if self.plan.class_token:
            tokens.insert(0, _for_each(w["class_token"] + first, batch))
        return jnp.concatenate(tokens, axis=1)

    def _interpolated(self, places: jax.Array, grid: tuple[int, int]) -> jax.Array:
        """The vectors of the positions of patches, (rows, columns, width)."""
        known = self.plan.grid
        places = places.reshape(*known, -1)
        if grid == known:
            return places
        down, across = (
            jnp.asarray(cubic_weights(old, new, self.plan.antialias), "float32")
            for old, new in zip(known, grid)
        )
        return jnp.einsum(
            "iy,jx,yxw->ijw", down, across, places.astype("float32"), precision="highest"
        ).astype(places.dtype)


def _for_each(vectors: jax.Array, batch: int) -> jax.Array:
    """Vectors (count, width) for each example."""
    return jnp.broadcast_to(vectors, (batch, *vectors.shape))


def cubic_weights(old: int, new: int, antialias: bool) -> np.ndarray:
    """How much each of `old` samples is in each of `new` ones that cover the same stretch, (new,
    old), by cubic convolution (Keys 1981), as torch has it.

    Args:
        antialias: whether the kernel is as wide as a new sample where that is the larger, and cut
            off at the ends, where else the last sample goes on.

    >>> cubic_weights(2, 4, antialias=False).round(3).tolist()[0]
    [1.105, -0.105]
    """
    scale = old / new
    centers = (np.arange(new) + 0.5) * scale - 0.5
    if antialias:
        stretch = max(scale, 1.0)
        weights = _cubic((np.arange(old) - centers[:, None]) / stretch, -0.5)
        return weights / weights.sum(axis=1, keepdims=True)
    weights = np.zeros((new, old))
    first = np.floor(centers).astype(int)
    for step in (-1, 0, 1, 2):
        source = np.clip(first + step, 0, old - 1)
        np.add.at(weights, (np.arange(new), source), _cubic(first + step - centers, -0.75))
    return weights


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """The kernel of cubic convolution, with the slope `a` at 1."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
