"""Means and sums of values, weighted; and the mean of any function of targets and predictions."""

import typing
from typing import Any
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jkeras.core.names import typed
from jkeras.core.names.family import families
from jkeras.core.record import base_record, record
from jkeras.core.names.registry import public_name
from jkeras.losses.base import OfFunction, hold_kwargs
from jkeras.losses.reduction import (
    apply_mask,
    counted_labels,
    divide_no_nan,
    squeeze_or_expand_to_same_rank,
)
from jkeras.losses.typing import Tensor
from jkeras.metrics.base import Accumulator, State, StateSpec


def samplewise(
    values: Tensor,
    sample_weight: Tensor | None,
    reduce: Callable[..., jax.Array],
    dtype: str,
    mask: Tensor | None = None,
) -> tuple[jax.Array, jax.Array | None]:
    """Values and weights with all axes but the batch reduced: `(values * weights, weights or
    None)`.
    """
    values = jnp.asarray(values, dtype)
    if sample_weight is not None:
        weight = apply_mask(jnp.asarray(sample_weight, dtype), mask, dtype)
        values, weight = squeeze_or_expand_to_same_rank(values, weight)
        rank = weight.ndim
        if values.ndim > rank:
            values = reduce(values, axis=tuple(range(rank, values.ndim)))
        sample_weight = jnp.broadcast_to(weight, values.shape)
        values = values * sample_weight
        if rank > 1:
            sample_weight = reduce(sample_weight, axis=tuple(range(1, rank)))
    if values.ndim > 1:
        values = reduce(values, axis=tuple(range(1, values.ndim)))
    return values, sample_weight


@record("keras.metrics")
class Sum(Accumulator):
    """The weighted sum of all values.

    Args:
        name, dtype: as for `Metric`.

    >>> metric = Sum()
    >>> metric.update_state([1, 3, 5])
    >>> print(metric.result())
    9.0
    """

    name: typed.Name = "sum"
    dtype: Any = None

    def state_specs(self, *args: Any, **kwargs: Any) -> dict[str, StateSpec]:
        """The variables: `total`."""
        return {"total": StateSpec((), self.dtype)}

    def measure(self, values: Tensor, sample_weight: Tensor | None = None) -> dict[str, Any]:
        """The sum of this batch."""
        values, _ = samplewise(values, sample_weight, jnp.sum, self.dtype)
        return {"total": jnp.sum(values)}

    def result_of(self, state: State) -> jax.Array:
        """The sum."""
        return state["total"]


@record("keras.metrics")
class Mean(Accumulator):
    """The weighted mean of all values; 0 without any.

    Args:
        name, dtype: as for `Metric`.

    >>> metric = Mean()
    >>> metric.update_state([1, 3, 5], sample_weight=[1, 1, 0])
    >>> print(metric.result())
    2.0
    """

    name: typed.Name = "mean"
    dtype: Any = None

    def state_specs(self, *args: Any, **kwargs: Any) -> dict[str, StateSpec]:
        """The variables: `total`, `count`."""
        return {"total": StateSpec((), self.dtype), "count": StateSpec((), self.dtype)}

    def measure(
        self,
        values: Tensor,
        sample_weight: Tensor | None = None,
        *,
        values_mask: Tensor | None = None,
    ) -> dict[str, Any]:
        """Sum and count of this batch; `values_mask` is multiplied into the weights."""
        values, weight = samplewise(values, sample_weight, jnp.mean, self.dtype, values_mask)
        if weight is not None:
            count = jnp.sum(weight)
        elif values.ndim:
            count = values.shape[0]
        else:
            count = 1
        return {"total": jnp.sum(values), "count": count}

    def result_of(self, state: State) -> jax.Array:
        """The mean."""
        return divide_no_nan(state["total"], state["count"])


@base_record("keras.metrics", arguments="fn, name, dtype", base_init=hold_kwargs)
class MeanMetricWrapper(OfFunction, Mean):
    """The mean of a function `fn(y_true, y_pred, **kwargs)` to values per sample.

    Other keyword arguments go to `fn`. A mask beside `y_pred` is multiplied into the weights.

    Args:
        fn: the function. One of jkeras is compiled, another one runs as it is.
        name, dtype: as for `Metric`.
        kwargs: further keyword arguments of `fn`.
    Raises:
        ValueError: on an update, `fn` returns None.

    >>> metric = MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name="error")
    >>> print(metric([0.0, 0.0], [1.0, -2.0]))
    1.5
    """

    fn: typed.Function
    name = None
    _core_takes_mask = True

    if typing.TYPE_CHECKING:

        def __init__(
            self, fn: typed.Function, name: str | None = None, dtype: typing.Any = None
        ) -> None: ...

    def __post_init__(self) -> None:
        super().__post_init__()
        losses = families["losses"].aliases.values()
        if self._direction is None and any(self.fn is loss for loss in losses):
            self._direction = "down"

    def measure(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        *,
        mask: Tensor | None = None,
    ) -> dict[str, Any]:
        """Sum and count of this batch."""
        y_true, y_pred = jax.tree_util.tree_map(self._wide, (y_true, y_pred))
        y_true = counted_labels(y_true, sample_weight, mask)
        values = self._compare(y_true, y_pred)
        values_mask = None
        output_mask = getattr(self.fn, "output_mask", None)
        if output_mask is not None:
            values_mask = output_mask(y_true, values, **self.fn_kwargs())
        weight = apply_mask(sample_weight, mask, self.dtype)
        return Mean.measure(self, values, weight, values_mask=values_mask)

    def _wide(self, x: Any) -> Any:
        """Half precision in the metric's own dtype: a square may be beyond float16."""
        if getattr(x, "dtype", None) in ("float16", "bfloat16"):
            return jnp.asarray(x, self.dtype)
        return x

    def _can_compile(self) -> bool:
        # a function of yours may not be pure
        return "fn" not in vars(self) or public_name(self.fn) is not None
