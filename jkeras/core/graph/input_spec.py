"""`InputSpec`: what a layer asks of its input, checked before anything is computed."""

from collections.abc import Sequence
from typing import Any, Self

import jax

from jkeras.core.errors import place_of
from jkeras.core.graph import keras_tensor
from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.graph.keras_tensor import KerasTensor, is_symbolic
from jkeras.core.names.registry import public


@public("keras.InputSpec", "keras.layers.InputSpec")
class InputSpec:
    """What an input must look like.

    Args:
        optional: whether None may be passed.
        dtype, shape, ndim, max_ndim, min_ndim: what an input must hold; None in `shape` is any
            size.
        axes: dict from an axis to its size.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing or extra.
        name: name of the input.

    >>> InputSpec(min_ndim=2, axes={-1: 3}).axes
    {-1: 3}
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, Any] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else standardize_dtype(dtype)
        self.shape = None if shape is None else keras_tensor.standardize_shape(shape)
        self.ndim = len(self.shape) if shape is not None else ndim
        self.max_ndim, self.min_ndim, self.name, self.optional = max_ndim, min_ndim, name, optional
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        try:
            self.axes = {int(k): v for k, v in (axes or {}).items()}
        except (AttributeError, ValueError, TypeError):
            raise TypeError(
                "InputSpec: `axes` takes a dict from the number of an axis to its size. "
                f"Received: {axes}"
            ) from None
        most = self.ndim or max_ndim
        if self.axes and most is not None and max(self.axes) >= most:
            raise ValueError(
                f"Axis {max(self.axes)} is greater than the maximum allowed value: {most - 1}. "
                f"Received: axes={axes}"
            )

    def accepts(self, shape: Sequence[int | None]) -> bool:
        """Whether an array of this shape is seen to fit at a glance; if not, `check` says more."""
        ndim = len(shape)
        if self.dtype is not None or self.shape is not None:
            return False
        if self.ndim not in (None, ndim) or ndim < (self.min_ndim or 0):
            return False
        if self.max_ndim is not None and ndim > self.max_ndim:
            return False
        for axis, size in self.axes.items():  # noqa: SIM110 - a generator costs a call
            if shape[axis] != size:
                return False
        return True

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "dtype": self.dtype,
            "shape": self.shape,
            "ndim": self.ndim,
            "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim,
            "axes": self.axes,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The spec of a config."""
        return cls(**config)

    def __repr__(self) -> str:
        parts = [f"{k}={v}" for k, v in vars(self).items() if v]
        return f"InputSpec({', '.join(parts)})"


def completed(input_spec, value):
    """A KerasTensor with the sizes that a spec fixes where it does not know them; anything else as
    it is.
    """
    if not isinstance(input_spec, InputSpec) or not is_symbolic(value) or None not in value.shape:
        return value
    fixed = {axis % len(value.shape): size for axis, size in input_spec.axes.items()}
    shape = [fixed.get(i) if d is None else d for i, d in enumerate(value.shape)]
    return KerasTensor(shape, value.dtype, sparse=value.sparse, name=value.name)


def check_input(layer: Any, call: Any, input_spec: Any) -> None:
    """Raises for an input of a call of a layer that an `input_spec` forbids."""
    if input_spec is None or not call.arguments:
        return
    x = call.first
    is_of_one = isinstance(input_spec, InputSpec) and isinstance(x, jax.Array)
    if not is_of_one or not input_spec.accepts(x.shape):
        check(input_spec, x, place_of(layer))


def check(input_spec, inputs, where):
    """Raises ValueError where `inputs` does not fit `input_spec`."""
    specs = jax.tree_util.tree_leaves(input_spec, is_leaf=lambda v: isinstance(v, InputSpec))
    values = _flat_inputs(input_spec, inputs)
    if len(values) != len(specs):
        raise ValueError(
            f"{where} expects {len(specs)} input(s), but it received {len(values)} input tensors. "
            f"Inputs received: {[tuple(getattr(v, 'shape', ())) for v in values]}. Pass one array "
            "for each input."
        )
    for index, (value, spec) in enumerate(zip(values, specs)):
        if spec is None:
            continue
        if value is None and spec.optional:
            continue
        _check_one(spec, value, index, where)


def _flat_inputs(input_spec, inputs):
    """The inputs as a list; those of a dict in the order of the specs where these have names."""
    if not isinstance(inputs, dict):
        return keras_tensor.flatten(inputs)
    if isinstance(input_spec, dict):
        return [inputs.get(name) for name in sorted(input_spec)]
    return list(inputs.values())


def _check_one(spec, value, index, where):
    if value is None or not hasattr(value, "shape"):
        raise ValueError(
            f"{where}: inputs should be tensors. Received: {value!r} (of type "
            f"{type(value).__name__}) as input {index}. Convert it with `numpy.asarray`."
        )
    shape = tuple(value.shape)
    expected = _unmet_ndim(spec, shape) or _unmet_axis(spec, shape)
    if expected is None and spec.shape is not None:
        allowed, shape = _squeezed(spec, shape)
        if not _is_compatible(allowed, shape):
            expected = f"shape={spec.shape}"
    if expected is not None:
        raise ValueError(
            f"Input {index} of {where} is incompatible with the layer: expected {expected}, found "
            f"shape={shape}. {_advice(spec, shape)}"
        )
    if spec.dtype is not None and str(value.dtype) != spec.dtype:
        raise ValueError(
            f"Input {index} of {where} is incompatible with the layer: expected "
            f"dtype={spec.dtype}, found dtype={value.dtype}. Cast the input."
        )


# by the number of axes that a layer asks for: what to do where there is one less
ONE_AXIS_LESS = {
    3: "A sequence is (batch, time, features): a recurrent layer gives one with "
    "`return_sequences=True`, and numbers get a last axis by `x[..., None]`.",
    4: "Images are (batch, height, width, channels): those without channels get the last axis by "
    "`x[..., None]` and `Input((height, width, 1))`.",
}


def _advice(spec, shape):
    """What to do about a shape."""
    asked = spec.ndim or spec.min_ndim or 0
    general = "Check the shape of the data, or the `Input(shape=…)` of the model."
    return ONE_AXIS_LESS.get(asked, general) if len(shape) == asked - 1 else general


def _unmet_ndim(spec, shape):
    """What a spec asks of the number of axes and a shape does not have; None: nothing."""
    ndim = len(shape)
    has_fixed_ndim = spec.ndim is not None and not spec.allow_last_axis_squeeze
    if has_fixed_ndim and ndim != spec.ndim:
        return f"ndim={spec.ndim}" + (f" (shape={spec.shape})" if spec.shape else "")
    if spec.max_ndim is not None and ndim > spec.max_ndim:
        return f"max_ndim={spec.max_ndim}"
    if spec.min_ndim is not None and ndim < spec.min_ndim:
        return f"min_ndim={spec.min_ndim}"
    return None


def _unmet_axis(spec, shape):
    """What a spec asks of single axes and a shape does not have; None: nothing."""
    for axis, size in spec.axes.items():
        if size is not None and shape[axis] not in (size, None):
            return f"axis {axis} of input shape to have value {size}"
    return None


def _squeezed(spec, shape):
    """(allowed shape, shape), without a last axis of size 1 that one has and the other lacks."""
    allowed = spec.shape
    if not spec.allow_last_axis_squeeze:
        return allowed, shape
    if len(shape) == len(allowed) + 1 and shape[-1] == 1:
        return allowed, shape[:-1]
    if len(allowed) == len(shape) + 1 and allowed[-1] == 1:
        return allowed[:-1], shape
    return allowed, shape


def _is_compatible(allowed, shape):
    """Whether two shapes are equal where both are static."""
    if len(allowed) != len(shape):
        return False
    return all(size is None or of_spec in (size, None) for of_spec, size in zip(allowed, shape))
