"""`Loss`: a reduced comparison of targets and predictions; `LossFunctionWrapper`: one made from a
function.
"""

from typing import TYPE_CHECKING, Self
import warnings

import jax
import jax.numpy as jnp

from jkeras.core.weights import policy
from jkeras.core.names import typed
from jkeras.core.errors import ArgumentError, explain, readable
from jkeras.core.graph.host_numbers import refuse_masked
from jkeras.core.graph.keras_tensor import refuse_cycles
from jkeras.core.record import Any, Record, base_record
from jkeras.core.names.registry import deserialize, serialize
from jkeras.core.session.keras_version import is_316
from jkeras.core.session.settings import auto_name, floatx
from jkeras.kernel.beside import carry_head, mask_beside
from jkeras.losses.reduction import (
    counted_labels,
    reduce_weighted_values,
    squeeze_or_expand_to_same_rank,
    standardize_reduction,
)
from jkeras.losses.typing import Tensor
from jkeras.core.weights.types import Reduction


@base_record("keras", "keras.losses.Loss")
class Loss(Record):
    """Compares targets with predictions: `loss(y_true, y_pred, sample_weight=None)` is a number, or
    values by sample.

    Subclasses define `call(self, y_true, y_pred)`, a pure function to values per sample (batch, …).

    Args:
        name: default from the class's name.
        reduction: "sum_over_batch_size" or "mean" (sum / number of values), "sum",
            "mean_with_sample_weight" (sum / sum of weights), "none" or None (values by sample).
        dtype: of the computation; floatx by default. Of a policy, its compute dtype.
    Raises:
        ValueError: an unknown `reduction`.
        ValueError: on a call, values that are no numbers.

    >>> class Signed(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return jnp.mean(y_pred - y_true, axis=-1)
    >>> print(Signed()([[0.0, 0.0]], [[1.0, 2.0]]))
    1.5
    """

    name: typed.Name = None
    reduction: Reduction = "sum_over_batch_size"
    dtype: Any = None
    _unwritten = ()  # arguments that Keras 3.15 leaves out of the config, beside `dtype`

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str | None = None,
            reduction: Reduction = "sum_over_batch_size",
            dtype: Any = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        self.name = self.name or auto_name(type(self).__name__)
        standardize_reduction(self.reduction)
        self.dtype = policy.get(self.dtype or floatx()).compute_dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Values per sample."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `call(self, y_true, y_pred)`."
        )

    def call_with_mask(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Values per sample, and the mask of those that count or None."""
        values = self.call(y_true, y_pred)
        return values, mask_beside(values)

    def __call__(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Tensor | None = None,
        *,
        mask: Tensor | None = None,
    ) -> jax.Array:
        """The reduced loss.

        Args:
            y_true, y_pred: arrays, or nested structures of arrays for a `call` that takes them.
            sample_weight: weights that broadcast to the values per sample.
            mask: of `y_pred`; entries that are False do not count. Default: the mask beside
                `y_pred`, if any.
        Returns:
            A number; for the reduction "none" weighted values by sample, (batch, …).
        """
        if mask is None:
            mask = mask_beside(y_pred)
        y_true = counted_labels(self._arrays(y_true), sample_weight, mask)
        given, y_pred = y_pred, self._arrays(y_pred)
        carry_head(given, y_pred)
        values, out_mask = self.call_with_mask(y_true, y_pred)
        if mask is None:
            mask = out_mask
        elif out_mask is not None:
            mask = jnp.asarray(mask) & out_mask
        return reduce_weighted_values(values, sample_weight, mask, self.reduction, self.dtype)

    def _arrays(self, structure: Any) -> Any:
        """A structure with its leaves as arrays; a nested list of numbers is one array."""
        refuse_cycles(structure, "y")
        if _is_list_of_numbers(structure):
            return self._array(structure)
        return jax.tree_util.tree_map(self._array, structure)

    def _array(self, x: Any) -> jax.Array:
        refuse_masked(x, "values")
        try:
            return jnp.asarray(x, self.dtype)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"Loss '{self.name}': the values compared must be numbers. Received: "
                f"{readable(repr(x), 100)}"
            ) from error

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data, without `dtype`."""
        config = self.field_config()
        unwritten = {"dtype", *self._left_out(config)}
        return {k: config[k] for k in ("name", "reduction", *config) if k not in unwritten}

    def _left_out(self, config: dict[str, Any]) -> tuple[str, ...]:
        """Arguments that Keras 3.15 does not write; a warning says it of what is lost so."""
        if is_316():
            return ()
        defaults = {field.name: field.default for field in self._fields}
        lost = [f"{n}={config[n]}" for n in self._unwritten if config[n] != defaults[n]]
        if lost:
            warnings.warn(
                f"Loss '{self.name}': Keras 3.15 does not write {', '.join(lost)} to configs and "
                "files, so what is loaded has the default. To fix it: "
                "`jkeras.config.set_keras_version('3.16')`, which writes it.",
                stacklevel=3,
            )
        return self._unwritten


def _is_list_of_numbers(structure: Any) -> bool:
    if not isinstance(structure, (list, tuple)):
        return False
    return not any(hasattr(leaf, "shape") for leaf in jax.tree_util.tree_leaves(structure))


def hold_kwargs(self: "OfFunction", **kwargs: Any) -> None:
    """Keeps the arguments of `fn` that are no fields, as they are."""
    vars(self)["_fn_kwargs"] = kwargs


class OfFunction:
    """Mixin of losses and metrics that wrap a function `fn(y_true, y_pred, **kwargs)`: its further
    arguments.
    """

    _fn_kwargs = None  # those that are no fields

    def fn_kwargs(self) -> dict[str, Any]:
        """The arguments of `fn` beside the arrays: of a built-in loss or metric, its own fields."""
        if self._fn_kwargs is not None:
            return self._fn_kwargs
        names = [f.name for f in self._fields if f.name not in ("name", "reduction", "dtype")]
        return {name: getattr(self, name) for name in names}

    def _compare(self, y_true: Any, y_pred: Any) -> Any:
        """What `fn` makes of labels and predictions; an error says whose function raised it."""
        where = f"The function of '{self.name}'"
        try:
            values = self.fn(y_true, y_pred, **self.fn_kwargs())
        except TypeError as error:
            if error.__traceback__.tb_next is None:  # raised by the call, not within
                error.args = (f"{error}. {where} is called with `(y_true, y_pred)`.",)
            elif isinstance(error, jax.errors.TracerArrayConversionError):
                error.add_note(
                    f"{where} uses numpy, which cannot compute with the arrays of a compiled step. "
                    "To fix it: take `jkeras.ops` or `jax.numpy`, or `compile(run_eagerly=True)`."
                )
            raise
        if values is None:
            raise ArgumentError(explain(where, "values for the samples", "None", "`return` them"))
        return values

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        config = super().get_config()
        if self._fn_kwargs is not None:
            config = {**config, **serialize(self._fn_kwargs)}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A new instance from `get_config()`."""
        if "fn" in config:
            others = {k: v for k, v in config.items() if k != "fn"}
            config = {**deserialize(others), "fn": deserialize_function(config["fn"])}
        return cls(**config)


@base_record(
    "keras.src.losses.losses", arguments="fn, reduction, name, dtype", base_init=hold_kwargs
)
class LossFunctionWrapper(OfFunction, Loss):
    """The loss of a function `fn(y_true, y_pred, **kwargs)` to values per sample.

    Before, a last axis of size 1 that only one of the two has is removed or added. Other keyword
    arguments go to `fn`.

    Args:
        fn: function of targets and predictions, arrays or equal structures of them.
        reduction, name, dtype: as for `Loss`.
        kwargs: further keyword arguments of `fn`.
    Raises:
        ValueError: on a call, targets and predictions of different structure.
        ValueError: on a call, `fn` returns None.

    >>> loss = LossFunctionWrapper(lambda y_true, y_pred: abs(y_true - y_pred), reduction="sum")
    >>> print(loss([0.0, 0.0], [1.0, -2.0]))
    3.0
    """

    fn: typed.Function

    if TYPE_CHECKING:

        def __init__(
            self,
            fn: typed.Function,
            reduction: Reduction = "sum_over_batch_size",
            name: str | None = None,
            dtype: Any = None,
            **kwargs: Any,
        ) -> None: ...

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Values per sample."""
        y_true, y_pred = _match(y_true, y_pred)
        return self._compare(y_true, y_pred)

    def call_with_mask(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Values per sample, and the mask of those that count, where `fn` has an `output_mask`."""
        values, mask = super().call_with_mask(y_true, y_pred)
        output_mask = getattr(self.fn, "output_mask", None)
        if output_mask is not None:
            mask = output_mask(y_true, values, **self.fn_kwargs())
        return values, mask


@typed.fields
class BuiltInLoss(LossFunctionWrapper):
    """Base of losses of a function without further arguments."""

    reduction: Reduction = "sum_over_batch_size"
    name: typed.Name = None
    dtype: Any = None


def _match(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Two equal structures with the arrays at the same path brought to the same rank."""
    trues, structure = jax.tree_util.tree_flatten(y_true)
    preds, other = jax.tree_util.tree_flatten(y_pred)
    if structure != other:
        raise ValueError(
            f"`y_true` and `y_pred` must have the same structure. Received: {structure} and {other}"
        )
    matched = [squeeze_or_expand_to_same_rank(t, p) for t, p in zip(trues, preds)]
    y_true = structure.unflatten([t for t, _ in matched])
    y_pred = structure.unflatten([p for _, p in matched])
    return y_true, y_pred


def deserialize_function(config: dict[str, Any] | str) -> Any:
    """A function from its config or name. One of Keras's own is written without its module: a loss
    or metric, here.
    """
    if isinstance(config, str):
        config = {"class_name": "function", "config": config}
    if config.get("class_name") == "function" and config.get("module") in (None, "builtins"):
        config = {**config, "module": "keras.losses"}
    return deserialize(config)
