"""Regularizers: a penalty on a weight or an output, a number added to the loss."""

import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import check_choice
from jkeras.core.record import Kind, Record, record
from jkeras.core.names.registry import public
from jkeras.core.session.settings import epsilon
from jkeras.kernel.numbers import is_zero
from jkeras.core.weights.types import TensorLike


class Factor(Kind):
    """A non-negative number; `default` for None; `single`: kept in single precision, as Keras
    writes it.
    """

    def __init__(self, name: str, default: float | None = None, single: bool = False) -> None:
        self.name = name
        self.default = default
        self.single = single

    def read(self, value: Any) -> float:
        if value is None:
            value = self.default
        if not isinstance(value, (float, int)) or not math.isfinite(value) or value < 0:
            raise ValueError(
                f"Invalid value for argument {self.name}: expected a non-negative float. "
                f"Received: {self.name}={value!r}"
            )
        if self.single:
            value = np.float32(value)
        return float(value)


@public("keras.regularizers.Regularizer", "keras.Regularizer")
class Regularizer(Record):
    """Base of all regularizers: `regularizer(x)` gives a scalar; here 0.

    Raises:
        NotImplementedError: from `get_config`, where a subclass has no fields and writes none.

    >>> class Energy(Regularizer):
    ...     def __call__(self, x):
    ...         return jnp.sum(x ** 2)
    >>> print(Energy()(jnp.array([1.0, 2.0])))
    5.0
    """

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        if not self._fields:
            raise NotImplementedError(
                f"{type(self).__name__} must implement `get_config()` to be saved."
            )
        return super().get_config()


@record("keras.regularizers", "keras.regularizers.l1_l2")
class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x ** 2)`.

    Args:
        l1, l2: non-negative numbers; 0 for None.
    Raises:
        ValueError: a factor that is negative, infinite or no number.

    >>> print(L1L2(l1=1.0, l2=1.0)(jnp.array([1.0, -2.0])))
    8.0
    """

    l1: Factor("l1", 0.0) = 0.0
    l2: Factor("l2", 0.0) = 0.0

    def __call__(self, x: TensorLike) -> jax.Array:
        x = jnp.asarray(x)
        penalty = jnp.zeros((), x.dtype)
        if not is_zero(self.l1):
            penalty += jnp.asarray(self.l1, x.dtype) * jnp.sum(jnp.abs(x))
        if not is_zero(self.l2):
            penalty += jnp.asarray(self.l2, x.dtype) * jnp.sum(jnp.square(x))
        return penalty


@record("keras.regularizers", "keras.regularizers.l1")
class L1(Regularizer):
    """`l1 * sum(|x|)`.

    Args:
        l1: non-negative number, kept in single precision; 0.01 for None.
    Raises:
        ValueError: a factor that is negative, infinite or no number.

    >>> print(L1(0.5)(jnp.array([1.0, -3.0])))
    2.0
    """

    l1: Factor("l1", 0.01, single=True) = 0.01

    def __call__(self, x: TensorLike) -> jax.Array:
        x = jnp.asarray(x)
        return jnp.asarray(self.l1, x.dtype) * jnp.sum(jnp.abs(x))


@record("keras.regularizers", "keras.regularizers.l2")
class L2(Regularizer):
    """`l2 * sum(x ** 2)`.

    Args:
        l2: non-negative number; 0.01 for None.
    Raises:
        ValueError: a factor that is negative, infinite or no number.

    >>> print(L2(0.5)(jnp.array([1.0, -3.0])))
    5.0
    """

    l2: Factor("l2", 0.01) = 0.01

    def __call__(self, x: TensorLike) -> jax.Array:
        x = jnp.asarray(x)
        return jnp.asarray(self.l2, x.dtype) * jnp.sum(jnp.square(x))


@record("keras.regularizers", "keras.regularizers.orthogonal_regularizer")
class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean absolute cosine between different rows (or columns) of a matrix.

    Args:
        factor: non-negative number, kept in single precision.
        mode: "rows" or "columns": which vectors should be orthogonal.
    Raises:
        ValueError: another `factor` or `mode`; on a call, an input that is not a matrix.

    >>> regularizer = OrthogonalRegularizer(1.0)
    >>> print(regularizer(jnp.eye(2)), regularizer(jnp.array([[3.0, 0.0], [3.0, 4.0]])).round(1))
    0.0 0.6
    """

    factor: Factor("factor", single=True) = 0.01
    mode: Literal["rows", "columns"] = "rows"

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, ("rows", "columns"))

    def __call__(self, x: TensorLike) -> jax.Array:
        x = jnp.asarray(x)
        if x.ndim != 2:
            raise ValueError(
                "OrthogonalRegularizer: expected a matrix (2 axes). Received an input of shape "
                f"{x.shape}"
            )
        vectors = x if self.mode == "rows" else x.T
        square = jnp.sum(jnp.square(vectors), axis=1, keepdims=True)
        vectors = vectors * jnp.minimum(jax.lax.rsqrt(square), 1 / epsilon())
        size = vectors.shape[0]
        cosines = vectors @ vectors.T * (1.0 - jnp.eye(size, dtype=x.dtype))  # (size, size)
        return self.factor * 0.5 * jnp.sum(jnp.abs(cosines)) / (size * (size - 1.0) / 2.0)
