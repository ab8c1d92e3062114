"""Constraints: projections of a weight, applied after each step of an optimizer."""

from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.record import Record, record
from jkeras.core.names.registry import public
from jkeras.core.session.settings import epsilon
from jkeras.ops.promotion import as_axes
from jkeras.core.weights.types import Axis, TensorLike


@public("keras.constraints.Constraint")
class Constraint(Record):
    """Base of all constraints: `constraint(w)` gives the allowed weight that replaces w; here w
    itself.

    >>> class Halved(Constraint):
    ...     def __call__(self, w):
    ...         return w / 2
    >>> print(Halved()(jnp.array([2.0])))
    [1.]
    """

    def __call__(self, w: Any) -> Any:
        return w


def _norms(w: jax.Array, axis: Axis) -> jax.Array:
    """Euclidean norms along an axis, or several, which stay with length 1."""
    return jnp.sqrt(jnp.sum(jnp.square(w), axis=as_axes(axis), keepdims=True))


def _scaled(w: jax.Array, norms: jax.Array, desired: jax.Array | float) -> jax.Array:
    """The weight with its norms changed."""
    return w.astype(norms.dtype) * (desired / (epsilon() + norms))


@record("keras.constraints", "keras.constraints.max_norm")
class MaxNorm(Constraint):
    """Norms along `axis` of at most `max_value`.

    Args:
        max_value: the largest norm allowed.
        axis: integer or list; 0 for a Dense kernel (the inputs of a unit), [0, 1, 2] for a Conv2D
            kernel.

    Reference: Srivastava et al., 2014, "Dropout: A Simple Way to Prevent Neural Networks from
        Overfitting".

    >>> print(MaxNorm(1.0)(jnp.array([[3.0, 0.3], [4.0, 0.4]])).round(3))  # the second is short
    [[0.6 0.3]
     [0.8 0.4]]
    """

    max_value: float = 2
    axis: typed.Sizes = 0

    def __call__(self, w: TensorLike) -> jax.Array:
        w = jnp.asarray(w)
        norms = _norms(w, self.axis)
        return _scaled(w, norms, jnp.clip(norms, 0, self.max_value))


@record("keras.constraints", "keras.constraints.non_neg")
class NonNeg(Constraint):
    """No negative elements: max(w, 0).

    >>> print(NonNeg()(jnp.array([-1.0, 2.0])))
    [0. 2.]
    """

    def __call__(self, w: TensorLike) -> jax.Array:
        return jnp.maximum(jnp.asarray(w), 0)


@record("keras.constraints", "keras.constraints.unit_norm")
class UnitNorm(Constraint):
    """Norms along `axis` of 1.

    Args:
        axis: integer or list, as for `MaxNorm`.

    >>> print(UnitNorm()(jnp.array([[3.0], [4.0]])).round(3))
    [[0.6]
     [0.8]]
    """

    axis: typed.Sizes = 0

    def __call__(self, w: TensorLike) -> jax.Array:
        w = jnp.asarray(w)
        norms = _norms(w, self.axis)
        return w.astype(norms.dtype) / (epsilon() + norms)


@record("keras.constraints", "keras.constraints.min_max_norm")
class MinMaxNorm(Constraint):
    """Norms along `axis` between `min_value` and `max_value`.

    Args:
        min_value, max_value: the bounds.
        rate: how far a step goes towards the bounds: 1 all the way, 0 not at all.
        axis: integer or list, as for `MaxNorm`.

    >>> print(MinMaxNorm(1.0, 2.0)(jnp.array([[0.3], [0.4]])).round(3))
    [[0.6]
     [0.8]]
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0
    axis: typed.Sizes = 0

    def __call__(self, w: TensorLike) -> jax.Array:
        w = jnp.asarray(w)
        norms = _norms(w, self.axis)
        bounded = jnp.clip(norms, self.min_value, self.max_value)
        return _scaled(w, norms, self.rate * bounded + (1 - self.rate) * norms)
