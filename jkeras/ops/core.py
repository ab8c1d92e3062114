"""Conversion, scattering and slicing, control flow, custom gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.lib.array_utils import normalize_axis_index

from jkeras.core.graph import inference, keras_tensor
from jkeras.core.graph.host_numbers import on_device
from jkeras.core.graph.keras_tensor import KerasTensor, is_symbolic, map_tensors
from jkeras.core.errors import check_choice
from jkeras.core.graph.op import op
from jkeras.core.names.dtypes import is_float, standardize_dtype
from jkeras.core.names.registry import Thing, public
from jkeras.core.names.trust import MOST_OUTPUTS, check_count
from jkeras.core.graph.sparse import SparseForm, dense, is_sparse
from jkeras.ops.kernels import inside_loop
from jkeras.core.weights.types import DType, Function, Operand, Shape, Sizes, Structure, TensorLike

if TYPE_CHECKING:
    from jax.experimental.sparse import BCOO  # takes long to import

MODULE = "keras.src.ops.core"


def core_op(
    inputs: int | None = None, spec: Function | None = None, find_sparse: Function | None = None
) -> Callable[[Thing], Thing]:
    """`op` for a function of this file, which is public under its own name."""

    def decorate(function: Thing) -> Thing:
        return op(
            MODULE,
            f"keras.ops.{function.__name__}",
            inputs=inputs,
            spec=spec,
            find_sparse=find_sparse,
        )(function)

    return decorate


# ---------------------------------------------------------------- conversion


def _converting(function: Function) -> SparseForm:
    """What a conversion does with sparse arrays: they stay so, unless it says otherwise."""
    return SparseForm(function, lambda flags, config: config.get("sparse") is not False)


@core_op(find_sparse=_converting)
def convert_to_tensor(
    x: TensorLike,
    dtype: DType | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
) -> jax.Array:
    """x (a number, nested list, numpy array, Variable …) as a JAX array.

    Args:
        x: number, nested list, numpy array, `Variable`, JAX array, dense or sparse.
        dtype: of the result; x's own by default.
        sparse: False turns a JAX sparse array into a dense one.
        ragged: must be false.
    Returns:
        JAX array of x's shape; a sparse array (BCOO) where x is one and stays so.
    Raises:
        ValueError: `ragged=True`, which JAX does not have.

    >>> convert_to_tensor([1, 2], dtype="float32")
    Array([1., 2.], dtype=float32)
    """
    if ragged:
        raise ValueError("`ragged=True` is not supported: JAX has no ragged arrays.")
    if dtype is not None:
        dtype = standardize_dtype(dtype)
    if is_sparse(x) and sparse is not False:
        return _sparse_cast(x, dtype)
    x = dense(x)
    if isinstance(x, jax.Array) and dtype is not None:
        return x.astype(dtype)
    if isinstance(x, np.ndarray) and dtype in (None, x.dtype.name):
        return on_device(x)
    return jnp.asarray(x, dtype)  # not by int32, which int64 may exceed


def _sparse_cast(x: BCOO, dtype: str | None) -> BCOO:
    if dtype is None:
        return x
    return x.astype(dtype)


@public("keras.ops.convert_to_numpy")
def convert_to_numpy(x: TensorLike) -> np.ndarray:
    """x as a new numpy array.

    Args:
        x: anything that `convert_to_tensor` takes; a sparse array becomes dense.
    Returns:
        numpy array of x's shape and dtype, whose memory is its own.

    >>> convert_to_numpy([1, 2])
    array([1, 2])
    """
    return np.array(dense(x))


@core_op(inputs=1, find_sparse=_converting)
def cast(x: TensorLike, dtype: DType) -> jax.Array:
    """x in another dtype.

    Args:
        x: array or nested list of numbers.
        dtype: name of a dtype, or a dtype of numpy or JAX.
    Returns:
        Array of x's shape; of floats as integers, the part before the point.
    Raises:
        ValueError: no dtype that there is.

    >>> cast([1.7, -1.7], "int32")
    Array([ 1, -1], dtype=int32)
    """
    return convert_to_tensor(x, dtype=standardize_dtype(dtype))


def _limits(dtype: str) -> tuple[Any, Any]:
    if dtype == "bool":
        return 0, 1
    describe = jnp.iinfo if "int" in dtype else jnp.finfo
    info = describe(dtype)
    return info.min, info.max


@core_op(inputs=1)
def saturate_cast(x: TensorLike, dtype: DType) -> jax.Array:
    """x in another dtype; what does not fit becomes the nearest value that does.

    Args:
        x, dtype: as for `cast`.
    Returns:
        Array of x's shape.

    >>> saturate_cast([-5.0, 300.0], "uint8")
    Array([  0, 255], dtype=uint8)
    """
    x = jnp.asarray(x)
    dtype = standardize_dtype(dtype)
    if x.dtype == bool:
        return x.astype(dtype)
    return jnp.clip(x, *_bounds(x.dtype, dtype)).astype(dtype)


def _bounds(source: np.dtype, target: str) -> list[np.ndarray]:
    """The smallest and largest number of one dtype, as numpy scalars, that another can hold."""
    low, high = _limits(target)
    own_low, own_high = _limits(source.name)
    bounds = [
        np.asarray(bound).astype(source) for bound in (max(low, own_low), min(high, own_high))
    ]
    if not is_float(target):
        return bounds  # a conversion to integers saturates by itself
    # the source may round a bound to a value outside
    for i, bound in enumerate(bounds):
        if not low <= bound.item() <= high:
            bounds[i] = np.nextafter(bound, np.zeros_like(bound))
    return bounds


@public("keras.ops.shape")
def shape(x: Operand) -> Sizes:
    """The shape as a tuple; with None for what a symbolic tensor does not know.

    Args:
        x: what has a shape: an array, a `Variable`, a symbolic tensor.
    Returns:
        Tuple of ints, None for a size that is not known.

    >>> shape(jnp.ones((2, 3)))
    (2, 3)
    """
    return tuple(x.shape)


@public("keras.ops.dtype")
def dtype(x: Operand) -> str:
    """The dtype's name.

    Args:
        x: what has a dtype: an array, a `Variable`, a symbolic tensor.
    Returns:
        Text, such as "float32".

    >>> dtype(jnp.ones(2))
    'float32'
    """
    return standardize_dtype(x.dtype)


@public("keras.ops.is_tensor")
def is_tensor(x: object) -> bool:
    """Whether x is a JAX array, traced or not.

    Args:
        x: any object.
    Returns:
        True for dense and sparse arrays of JAX; False for numpy's, lists and numbers.

    >>> is_tensor(jnp.ones(2)), is_tensor([1.0])
    (True, False)
    """
    return keras_tensor.is_tensor(x) or is_sparse(x)


@core_op()
def stop_gradient(variable: TensorLike) -> jax.Array:
    """The same value, a constant for differentiation.

    Args:
        variable: array, or a nested structure of arrays.
    Returns:
        The same, through which no gradient passes.

    >>> float(jax.grad(lambda x: x * stop_gradient(x))(3.0))
    3.0
    """
    return lax.stop_gradient(variable)


# ---------------------------------------------------------------- scattering and slicing


def _scatter_spec(indices: Operand, values: Operand, shape: Shape) -> KerasTensor:
    """The dtype of the indices is looked at when there are values."""
    return KerasTensor(shape, values.dtype)


@core_op(inputs=2, spec=_scatter_spec)
def scatter(indices: TensorLike, values: TensorLike, shape: Shape) -> jax.Array:
    """Zeros of a shape with values added at indices.

    Args:
        indices: (n, k), integers: indices into the first k axes; those out of range are left out.
        values: (n, *shape[k:]); values of the same index add up.
        shape: of the result, a tuple.
    Returns:
        Array of this shape, of the dtype of `values`.

    >>> scatter([[1], [3]], [2.0, 5.0], shape=(4,))
    Array([0., 2., 0., 5.], dtype=float32)
    """
    values = jnp.asarray(values)
    indices_by_axis = tuple(jnp.moveaxis(jnp.asarray(indices), -1, 0))
    return jnp.zeros(shape, values.dtype).at[indices_by_axis].add(values)


_COMBINED = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "multiply"}


def _combination(reduction: str | None) -> str:
    if isinstance(reduction, str):
        reduction = reduction.lower()
    check_choice("reduction", reduction, _COMBINED)
    return _COMBINED[reduction]


def _scatter_update_spec(
    inputs: Operand,
    indices: Operand,
    updates: Operand,
    reduction: Literal["add", "max", "min", "mul"] | None = None,
) -> KerasTensor:
    _combination(reduction)
    return KerasTensor(inputs.shape, standardize_dtype(inputs.dtype))


@core_op(inputs=3, spec=_scatter_update_spec)
def scatter_update(
    inputs: TensorLike,
    indices: TensorLike,
    updates: TensorLike,
    reduction: Literal["add", "max", "min", "mul"] | None = None,
) -> jax.Array:
    """The inputs with updates at indices.

    Args:
        inputs: array.
        indices: (n, k), integers: indices into the first k axes.
        updates: (n, *inputs.shape[k:]).
        reduction: None (the update replaces), "add", "max", "min" or "mul" (it is combined with
            what was there).
    Returns:
        Array of the shape and dtype of the inputs.
    Raises:
        ValueError: another reduction.

    >>> scatter_update([1.0, 1.0, 1.0], [[0], [2]], [5.0, 7.0])
    Array([5., 1., 7.], dtype=float32)
    """
    combine = _combination(reduction)
    reference = jnp.asarray(inputs).at[tuple(jnp.asarray(indices).T)]
    return getattr(reference, combine)(jnp.asarray(updates))


def _slice_spec(inputs: Operand, start_indices: Operand, shape: Shape) -> KerasTensor:
    """The sizes are the shape's, whatever the indices; -1 is static where size and index are."""
    _check_slice(inputs, start_indices, shape)
    sizes = []
    for axis, (own, size) in enumerate(zip(inputs.shape, shape)):
        if size != -1:
            sizes.append(size)
        elif own is None or is_symbolic(start_indices):
            sizes.append(None)
        else:
            sizes.append(own - int(start_indices[axis]))
    return KerasTensor(sizes, standardize_dtype(inputs.dtype))


def _check_slice(inputs: Operand, start_indices: Operand, shape: Shape) -> None:
    ndim = len(inputs.shape)
    if len(shape) != ndim:
        raise ValueError(
            "An update has as many axes as what it goes into: the number of dimensions in "
            "`inputs` must match the dimensions in `shape`. Received: "
            f"inputs.shape={inputs.shape}, shape={shape}"
        )
    if hasattr(start_indices, "__len__") and len(start_indices) != ndim:
        raise ValueError(
            "There is a start along each axis: the dimensions in `start_indices` must match "
            f"the dimensions in `inputs`. Received: start_indices={start_indices}, "
            f"inputs.shape={inputs.shape}"
        )


@core_op(inputs=2, spec=_slice_spec)
def slice(inputs: TensorLike, start_indices: TensorLike, shape: Shape) -> jax.Array:
    """The block of a shape that begins at `start_indices`.

    Args:
        inputs: array of n axes.
        start_indices: n integers, which may be traced; a block that would leave the array is moved
            back into it.
        shape: n sizes; -1 stands for all that is left; the index of that axis must then be static.
    Returns:
        Array of this shape.

    >>> slice(jnp.arange(5), [1], [3])
    Array([1, 2, 3], dtype=int32)
    """
    inputs = jnp.asarray(inputs)
    sizes = list(shape)
    for axis, size in enumerate(shape):
        if size == -1:
            sizes[axis] = inputs.shape[axis] - int(start_indices[axis])
    return lax.dynamic_slice(inputs, start_indices, sizes)


@core_op(
    spec=lambda inputs, start_indices, updates: KerasTensor(
        inputs.shape, standardize_dtype(inputs.dtype)
    )
)
def slice_update(inputs: TensorLike, start_indices: TensorLike, updates: TensorLike) -> jax.Array:
    """The inputs with a block replaced that begins at `start_indices`.

    Args:
        inputs: array of n axes.
        start_indices: n integers, which may be traced; a block that would leave the array is moved
            back into it.
        updates: array of n axes, the block.
    Returns:
        Array of the shape and dtype of the inputs.

    >>> slice_update(jnp.zeros(4), [1], jnp.ones(2))
    Array([0., 1., 1., 0.], dtype=float32)
    """
    return lax.dynamic_update_slice(jnp.asarray(inputs), jnp.asarray(updates), start_indices)


def _unstack_spec(x: Operand, num: int | None = None, axis: int = 0) -> list[KerasTensor]:
    axis_index = normalize_axis_index(axis, x.ndim)
    count = x.shape[axis_index]
    if count is None:
        count = num
    if count is None:
        raise ValueError(
            f"Cannot infer argument `num` from shape {x.shape}: axis {axis} has no known size. "
            "Pass `num`."
        )
    check_count("Unstack", "outputs", count, MOST_OUTPUTS)
    shape = (*x.shape[:axis_index], *x.shape[axis_index + 1 :])
    return [KerasTensor(shape, x.dtype) for _ in range(count)]


@op(MODULE, inputs=1, class_name="Unstack", spec=_unstack_spec)
def _unstack(x: TensorLike, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    x = jnp.asarray(x)
    return [
        lax.index_in_dim(x, i, axis, keepdims=False)
        for i in range(x.shape[normalize_axis_index(axis, x.ndim)])
    ]


@public("keras.ops.unstack")
def unstack(x: TensorLike, num: int | None = None, axis: int = 0) -> list[jax.Array]:
    """The list of all slices along an axis.

    Args:
        x: array.
        num: their number, needed only where a symbolic tensor does not know it.
        axis: the axis that goes.
    Returns:
        List of arrays of x's shape without the axis.
    Raises:
        ValueError: a symbolic tensor of unknown size, and no `num`.

    >>> [v.tolist() for v in unstack(jnp.arange(4).reshape(2, 2))]
    [[0, 1], [2, 3]]
    """
    return _unstack(x, num, axis)


# ---------------------------------------------------------------- control flow


@core_op()
def map(f: Function, xs: Structure) -> Structure:
    """f for each element along the first axis, one after the other, stacked; xs and results may be
    nested.

    Args:
        f: function of one element (of a structure of them), which `jax.jit` can trace.
        xs: array (n, ...), or a nested structure of such arrays.
    Returns:
        What f returns, each array with a first axis of size n.

    >>> map(lambda x: x * x, jnp.arange(3))
    Array([0, 1, 4], dtype=int32)
    """
    return lax.map(inside_loop(f), xs)


@core_op()
def vectorized_map(function: Function, elements: Structure) -> Structure:
    """`function` for each element along the first axis, all at once (`jax.vmap`), stacked.

    Args:
        function: as f of `map`.
        elements: array (n, ...), or a nested structure of such arrays.
    Returns:
        What the function returns, each array with a first axis of size n.

    >>> vectorized_map(lambda x: x * x, jnp.arange(3))
    Array([0, 1, 4], dtype=int32)
    """
    return jax.vmap(function)(elements)


@core_op(inputs=3)
def scan(
    f: Function,
    init: Structure,
    xs: Structure = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: bool | int = 1,
) -> tuple[Structure, Structure]:
    """Runs `carry, y = f(carry, x)` along the first axis; returns the last carry and all y,
    stacked.

    Args:
        f: function of a carry and an element, which returns a carry of the same form and an output.
        init: the first carry, an array or a nested structure.
        xs: array (n, ...), or a nested structure of such arrays; None: f gets None.
        length: the number of steps, needed where xs is None.
        reverse: go from the last element to the first; outputs stay at their elements' places.
        unroll: how many steps the compiled loop takes at once; True for all.
    Returns:
        (carry, ys): the last carry, and the outputs with a first axis of size n.
    Raises:
        TypeError: f is no function.
        ValueError: neither `xs` nor `length`, or an `unroll` that is neither bool nor a positive
            int.

    >>> carry, ys = scan(lambda c, x: (c + x, c), 0, jnp.arange(4))
    >>> int(carry), ys.tolist()
    (6, [0, 0, 1, 3])
    """
    _check_unroll(unroll)
    if not callable(f):
        raise TypeError(f"`f` should be a callable. Received: f={f}")
    if xs is None and length is None:
        raise ValueError("There are no `xs` to scan over and no `length`: give one of them.")
    return lax.scan(inside_loop(f), init, xs, length=length, reverse=reverse, unroll=unroll)


def _check_unroll(unroll: bool | int) -> None:
    if isinstance(unroll, bool):
        return
    if not isinstance(unroll, int) or unroll < 1:
        raise ValueError(
            f"`unroll` must be an positive integer or boolean. Received: unroll={unroll}"
        )


@core_op()
def associative_scan(
    f: Function, elems: Structure, reverse: bool = False, axis: int = 0
) -> Structure:
    """All partial results of an associative f, in parallel (Blelloch 1990): [a, f(a, b), f(f(a, b),
    c), …].

    Args:
        f: associative function of two elements, arrays or structures, which works on many at once.
        elems: array, or a nested structure of arrays of the same size along the axis.
        reverse: go from the last element to the first.
        axis: the axis that is gone along.
    Returns:
        Partial results, in the form of `elems`.

    >>> associative_scan(lambda a, b: a + b, jnp.arange(4))
    Array([0, 1, 3, 6], dtype=int32)
    """
    ndim = jnp.ndim(jax.tree.leaves(elems)[0])
    if -ndim <= axis < 0:
        axis = axis % ndim  # lax cannot reverse along a negative one
    return lax.associative_scan(f, elems, reverse, axis)


def _while_loop_spec(
    cond: Function, body: Function, loop_vars: Structure, maximum_iterations: int | None = None
) -> Structure:
    """A loop keeps shapes and dtypes, so nothing is run."""
    return _alike(loop_vars)


def _alike(structure: Structure) -> Structure:
    return map_tensors(lambda v: KerasTensor(v.shape, v.dtype), structure)


@core_op(spec=_while_loop_spec)
def while_loop(
    cond: Function, body: Function, loop_vars: Structure, maximum_iterations: int | None = None
) -> Structure:
    """Repeats `loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)`.

    Args:
        cond: function of the values, which gives one boolean.
        body: function of the values, which returns new ones of the same shapes and dtypes.
        loop_vars: a tuple or list of values; or one value, which body then takes and returns as it
            is.
        maximum_iterations: stops at the latest after so many rounds.
    Returns:
        The values after the last round, a tuple; of one value, that value.

    >>> int(while_loop(lambda i: i < 10, lambda i: i + 3, 0))
    12
    """
    if not isinstance(loop_vars, (tuple, list)):
        (value,) = _while_loop(cond, lambda v: (body(v),), (loop_vars,), maximum_iterations)
        return value
    return _while_loop(cond, body, loop_vars, maximum_iterations)


def _while_loop(
    cond: Function, body: Function, loop_vars: Sequence[Structure], maximum_iterations: int | None
) -> tuple[Structure, ...]:
    """`while_loop` of a tuple or list of values."""

    def go_on(state: tuple[Any, Any]) -> jax.Array:
        step, values = state
        more = cond(*values)
        if maximum_iterations is None:
            return more
        return more & (step < maximum_iterations)

    def advance(state: tuple[Any, Any]) -> tuple[Any, Any]:
        step, values = state
        values = tuple(body(*values))
        return step + 1, values

    _, values = lax.while_loop(go_on, inside_loop(advance), (0, tuple(loop_vars)))
    return values


def _fori_loop_spec(
    lower: Operand, upper: Operand, body_fun: Function, init_val: Structure
) -> Structure:
    return _alike(init_val)


@core_op(spec=_fori_loop_spec)
def fori_loop(
    lower: TensorLike, upper: TensorLike, body_fun: Function, init_val: Structure
) -> Structure:
    """Repeats `value = body_fun(i, value)` for i from lower to upper - 1.

    Args:
        lower, upper: integers, which may be traced.
        body_fun: function of i and the value, which returns one of the same shapes and dtypes.
        init_val: the first value, an array or a nested structure.
    Returns:
        The last value.

    >>> int(fori_loop(0, 5, lambda i, x: x + i, 0))
    10
    """
    return lax.fori_loop(lower, upper, inside_loop(body_fun), init_val)


@core_op()
def cond(pred: TensorLike, true_fn: Function, false_fn: Function) -> Structure:
    """`true_fn()` if pred holds, `false_fn()` otherwise; both must give values of the same shapes
    and dtypes.

    Args:
        pred: one boolean, which may be traced: then both functions are compiled and one of them
            runs.
        true_fn, false_fn: functions without arguments.
    Returns:
        What the chosen function returns.

    >>> int(cond(True, lambda: 1, lambda: 2))
    1
    """
    return lax.cond(pred, true_fn, false_fn)


def _switch_spec(
    index: Operand, branches: Sequence[Function], operands: Sequence[Structure]
) -> Structure:
    """The branches give the same shapes; the index is looked at when it has a value."""
    return inference.infer(lambda operands: branches[0](*operands), operands)


@op(MODULE, inputs=3, class_name="Switch", spec=_switch_spec)
def _switch(
    index: TensorLike, branches: Sequence[Function], operands: Sequence[Structure]
) -> Structure:
    return lax.switch(index, branches, *operands)


@public("keras.ops.switch")
def switch(index: TensorLike, branches: Sequence[Function], *operands: Structure) -> Structure:
    """`branches[index](*operands)`, with the index moved into the range of the branches.

    Args:
        index: integer, which may be traced: then all branches are compiled and one of them runs.
        branches: functions that give values of the same shapes and dtypes.
        operands: what they are called with.
    Returns:
        What the chosen branch returns.

    >>> int(switch(1, [lambda x: x, lambda x: 2 * x], 5))
    10
    """
    return _switch(index, branches, operands)


@public("keras.ops.custom_gradient")
def custom_gradient(f: Function) -> Function:
    """Decorator: f returns its value and a function from the gradient by the value to those by the
    arguments.

    Args:
        f: function that returns (value, gradient function). The latter takes the gradient of the
            value and returns a gradient for each argument, one or a tuple.
    Returns:
        A function that gives the value alone, and is differentiated by the gradient function.

    >>> @custom_gradient
    ... def clipped(x):
    ...     return x, lambda upstream: jnp.clip(upstream, -1.0, 1.0)
    >>> float(jax.grad(lambda x: 5.0 * clipped(x))(2.0))
    1.0
    """
    inner = jax.custom_gradient(f)

    def with_gradient(*args: Any, **kwargs: Any) -> jax.Array:
        args, kwargs = jax.tree.map(keras_tensor.as_tensor, (args, kwargs))
        return inner(*args, **kwargs)

    return with_gradient
