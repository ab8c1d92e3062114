"""RotaryEmbedding: positions that rotate pairs of features."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.layer import layer
from jkeras.core.run.context import Context
from jkeras.core.session.positions import are_of_text, positions_now, refuse_cache
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.base import ReadyLayer
from jkeras.ops.rotary import Rotary, rotated

KINDS = {"linear": "linear", "dynamic": "stretched", "yarn": "yarn", "default": "default"}


@layer("jkeras.layers")
class RotaryEmbedding(ReadyLayer):
    """Rotates pairs of features by angles that grow with the position, so that the product of a
    query and a key depends on how far they are apart (Su et al. 2021, arXiv:2104.09864).

    It has the arguments and numbers of keras-hub's layer of this name. Called as
    `layer(x, start_index=0, positions=None)`; `positions` are (time,) or (batch, time), as those of
    packed rows, and `start_index` is that of the first one where they are not given.

    While text is generated with a cache, the positions are those in the whole text. With a
    `sequence_axis` other than 1, or with positions that are not those that a model is given or that
    `jkeras.generation.positions` says, there is no cache.

    Args:
        max_wavelength: of the slowest rotation, divided by 2 pi.
        scaling_factor: positions are divided by it, in the way of `rope_type`.
        rope_type: "linear": all rotations are slower; "dynamic": the wavelength is longer; "yarn":
            slow rotations are slower, fast ones are not (Peng et al. 2023, arXiv:2309.00071);
            "default": positions are not scaled.
        beta_fast, beta_slow, original_max_position_embeddings, truncate: of "yarn": rotations that
            turn so often in a text of training are fast, and slow; how long such a text was;
            whether both bounds are whole.
        sequence_axis, feature_axis: which axes of the input are time and features. The batch is
            the first of the others.
        denominator_dim: of the exponents of the wavelengths; None: as many as are rotated. Not with
            "yarn".
        rotary_dim: how many features are rotated, the first ones; None: all.
        interleaved: features of a pair are neighbours; else they lie half of the rotated ones
            apart.

    Raises:
        ValueError: a number that is none of these; an input without such axes, or an odd number of
            features that are rotated.

    >>> import numpy as np
    >>> query = np.ones((1, 5, 1, 8), "float32")  # batch, time, heads, features
    >>> rotated = RotaryEmbedding()(query)[0, :, 0]
    >>> products = rotated @ rotated.T
    >>> [round(float(products[i, i + 2]), 3) for i in range(3)]  # two positions apart
    [5.127, 5.127, 5.127]
    """

    max_wavelength: float = 10000
    scaling_factor: float = 1.0
    rope_type: str = "linear"
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    original_max_position_embeddings: int = 4096
    truncate: bool = True
    sequence_axis: int = 1
    feature_axis: int = -1
    denominator_dim: int | None = None
    rotary_dim: int | None = None
    interleaved: bool = False
    supports_cache = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.autocast = False  # positions keep their precision
        if self.rope_type not in KINDS:
            expected = f"`rope_type` of {', '.join(map(repr, KINDS))}"
            raise ValueError(explain(self._where, expected, f"{self.rope_type!r}"))
        for name in ("max_wavelength", "scaling_factor"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) or not 0 < value < math.inf:
                raise ValueError(explain(self._where, f"`{name}` above 0", f"{value!r}"))
        for name in ("rotary_dim", "denominator_dim"):
            value = getattr(self, name)
            if value is not None and not _is_count(value):
                raise ValueError(explain(self._where, f"`{name}` of 1 or more", f"{value!r}"))
        if self.rope_type == "yarn":
            self._check_yarn()

    def _check_yarn(self) -> None:
        """Raises ValueError for numbers that give no rotations."""
        if self.max_wavelength <= 1:
            expected = '`max_wavelength` above 1 with `rope_type="yarn"`'
            raise ValueError(explain(self._where, expected, f"{self.max_wavelength!r}"))
        if self.denominator_dim is not None:
            expected = 'no `denominator_dim` with `rope_type="yarn"`'
            raise ValueError(explain(self._where, expected, f"{self.denominator_dim!r}"))

    def weight_specs(
        self, x: Spec, start_index: Any = 0, positions: Any = None
    ) -> dict[str, Weight]:
        self._rotary(tuple(x.shape))
        return {}

    def forward(
        self,
        w: Mapping[str, Any],
        x: jax.Array,
        start_index: Any = 0,
        positions: jax.Array | None = None,
        *,
        ctx: Context,
    ) -> jax.Array:
        rotary, axes = self._rotary(x.shape), self._axes(x.ndim)
        x = jnp.moveaxis(x.astype(self.compute_dtype), axes, (1, -1))
        if axes[0] != 1 or axes[1] == 0:
            refuse_cache(f"the layer '{self.name}' rotates along another axis than 1")
        positions = self._positions(x.shape[:2], start_index, positions)
        y = rotated(x, rotary, positions, x.shape[1])
        return jnp.moveaxis(y, (1, -1), axes)

    def _axes(self, rank: int) -> tuple[int, int]:
        """Those of time and features, counted from the first.

        Raises:
            ValueError: an input has none, or no other one.
        """
        axes = self.sequence_axis, self.feature_axis
        are_there = all(-rank <= axis < rank for axis in axes)
        axes = tuple(axis % rank for axis in axes) if rank else axes
        if rank < 3 or not are_there or axes[0] == axes[1]:
            expected = f"an input with axes {self.sequence_axis} of time, {self.feature_axis} of "
            expected += "features, and one of the batch"
            raise ValueError(explain(self._where, expected, f"one of {rank} axes"))
        return axes

    def _rotary(self, shape: tuple[int | None, ...]) -> Rotary:
        """What is computed for an input of a shape.

        Raises:
            ValueError: it has an odd number of features that are rotated, or fewer.
        """
        features = shape[self._axes(len(shape))[1]]
        size = features if self.rotary_dim is None else self.rotary_dim
        if features is None or size > features or size % 2:
            expected = "an even number of features that are rotated"
            if self.rotary_dim is not None:
                expected += f", `rotary_dim` of at most {features}"
            received = f"{size} of the features of an input of shape {shape}"
            raise ValueError(explain(self._where, expected, received))
        factor = float(self.scaling_factor)
        scaling = {"factor": factor}
        if self.rope_type == "yarn":
            names = "beta_fast", "beta_slow", "original_max_position_embeddings", "truncate"
            scaling |= {name: getattr(self, name) for name in names}
            scaling["attention_factor"] = 0.1 * math.log(factor) + 1.0
        kind, theta = KINDS[self.rope_type], float(self.max_wavelength)
        return Rotary(size, theta, kind, scaling, self.interleaved, self.denominator_dim)

    def _positions(
        self, shape: tuple[int, int], start_index: Any, positions: jax.Array | None
    ) -> jax.Array:
        """(batch, time), or (1, time) of all rows.

        Raises:
            ValueError: positions of another shape.
        """
        if positions is None:
            if not isinstance(start_index, numbers.Integral):
                refuse_cache(f"the layer '{self.name}' counts from a position that is computed")
            return positions_now(shape) + jnp.asarray(start_index)
        if not are_of_text(positions):
            refuse_cache(f"the layer '{self.name}' is given positions that are computed")
        positions = jnp.asarray(positions)
        if positions.ndim == 1:
            positions = positions[None]
        if positions.shape not in (tuple(shape), (1, shape[1])):
            expected = f"positions of shape {tuple(shape)}, or ({shape[1]},)"
            raise ValueError(explain(self._where, expected, f"shape {positions.shape}"))
        return positions


def _is_count(value: Any) -> bool:
    """Whether it is a whole number of 1 or more."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_whole and value >= 1
