"""Layers that merge several inputs into one, and their function forms."""

import functools
import typing
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from jkeras import ops
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.errors import AxisError, explain
from jkeras.core.layer import Layer, layer
from jkeras.core.record import Any
from jkeras.core.names.registry import public
from jkeras.core.graph.sparse import is_sparse
from jkeras.core.names.typed import Sizes
from jkeras.core.weights.types import Function, PerAxis, Structure, TensorLike
from jkeras.kernel.spec import Spec, Weight
from jkeras.core.run.context import Context


class Merge(Layer, announces_compute_dtype=True, is_batchwise=True):
    """Base of merge layers: called on a list of inputs, `merge(inputs, masks)` makes one of them.

    Inputs of fewer axes get axes of size 1 after the batch axis. An output's mask is True where any
    input's is, and there is none if an input has none.
    """

    supports_masking = True

    def _call_on_several(self, inputs: Any, *more: Any, **kwargs: Any) -> Any:
        if more:
            inputs = [inputs, *more]
        return super().__call__(inputs, **kwargs)

    if not typing.TYPE_CHECKING:  # to a checker it is called as any layer
        __call__ = _call_on_several

    def weight_specs(self, inputs: Any = ()) -> dict[str, Weight]:
        if isinstance(inputs, Spec) or not inputs:
            raise ValueError(
                explain(
                    self._where,
                    "a list of at least 1 input",
                    f"{inputs or 'none'}",
                    "call it as `layer([a, b])`",
                )
            )
        self.check(inputs := [tuple(s.shape) for s in inputs])
        return {}

    def check(self, shapes: list[tuple[Any, ...]]) -> None:
        """Raises ValueError for input shapes that do not go together."""
        if len({s[0] for s in shapes if s} - {None}) > 1:
            raise self._misfit("inputs of the same batch size", shapes)
        rank = max(map(len, shapes)) - 1
        for sizes in zip(*((1,) * (rank - len(s[1:])) + s[1:] for s in shapes)):
            if len(set(sizes) - {1, None}) > 1:
                raise self._misfit("inputs whose shapes broadcast to each other", shapes)

    def _misfit(self, expected, shapes: Sequence[Sizes]) -> Any:
        return ValueError(explain(self._where, expected, f"shapes {', '.join(map(str, shapes))}"))

    def forward(self, w: Mapping[str, Any], inputs: list[jax.Array], ctx: Context) -> jax.Array:
        rank = max(x.ndim for x in inputs)
        masks = ctx.mask
        if masks is None:
            masks = [None] * len(inputs)
        masks = [m if x.ndim == rank else None for x, m in zip(inputs, masks)]
        inputs = [
            ops.expand_dims(x, tuple(range(1, 1 + rank - x.ndim))) if x.ndim < rank else x
            for x in inputs
        ]
        return self.merge(inputs, masks)

    def merge(self, inputs: Any, masks: Any) -> jax.Array:
        """One array from several of the same rank; `masks`: of each, None where there is none."""
        raise NotImplementedError

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Structure:
        """The merged shape by rule: a size that one input leaves open another may have."""
        shapes = []
        if isinstance(inputs, (list, tuple)):
            shapes = [tuple(x.shape) for x in inputs]
        if not shapes or not all(shapes):
            return super().compute_output_spec(inputs, **kwargs)
        self.check(shapes)
        sparse = all(x.sparse for x in inputs)
        return KerasTensor(self.merged_shape(shapes), self.compute_dtype, sparse=sparse)

    def merged_shape(self, shapes: list[tuple[Any, ...]]) -> tuple[int | None, ...]:
        """The output's shape for shapes with a batch axis that go together."""
        rank = max(map(len, shapes)) - 1
        batch = {s[0] for s in shapes} - {None}
        aligned = zip(*((1,) * (rank - len(s[1:])) + s[1:] for s in shapes))
        return (next(iter(batch), None), *map(_broadcast_size, aligned))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Structure:
        masks = self._checked_masks(inputs, mask)
        if masks is None or any(m is None for m in masks):
            return None
        return functools.reduce(ops.logical_or, masks)

    def _checked_masks(
        self, inputs: list[jax.Array] | list[KerasTensor], mask: jax.Array | None
    ) -> Any:
        if mask is None:
            return None
        for name, value in (("inputs", inputs), ("mask", mask)):
            if not isinstance(value, (list, tuple)):
                raise ValueError(explain(self._where, f"`{name}` to be a list", f"{value!r}"))
        if len(mask) != len(inputs):
            raise ValueError(
                explain(self._where, "as many masks as inputs", f"{len(mask)} and {len(inputs)}")
            )
        return mask


def _broadcast_size(sizes: tuple[int, ...]) -> int:
    """The size of an axis for those of several inputs that broadcast to each other."""
    if None in sizes:
        return None
    return next((n for n in sizes if n != 1), 1)


def _wide(mask: jax.Array | None, x: jax.Array) -> Any:
    """The mask of (batch, time) for all entries of x."""
    if mask is None:
        return None
    return jnp.broadcast_to(mask[..., None], x.shape)


def _extremum(function: Function, inputs: list[jax.Array], masks: list[Any]) -> jax.Array:
    """A fold in which an entry that is masked on one side takes the other side's value."""
    result, is_valid = None, None
    for x, mask in zip(inputs, map(_wide, masks, inputs)):
        if result is None:
            result, is_valid = x, mask
            continue
        if mask is not None:
            x = jnp.where(mask, x, result)
        if is_valid is not None:
            result = jnp.where(is_valid, result, x)
            is_valid = None if mask is None else is_valid | mask
        result = function(result, x)
    return result


@layer("keras.layers")
class Add(Merge):
    """The sum of the inputs.

    Raises:
        ValueError: no list of inputs, or shapes that do not go together.

    >>> import numpy as np
    >>> print(Add()([np.ones(2), np.ones(2)]))
    [2. 2.]
    """

    def merge(self, inputs: Any, masks: Any) -> jax.Array:
        return functools.reduce(ops.add, inputs)


@layer("keras.layers")
class Subtract(Merge):
    """The first of two inputs minus the second.

    Raises:
        ValueError: no list of inputs, or shapes that do not go together.

    >>> import numpy as np
    >>> print(Subtract()([np.full(2, 3.0), np.ones(2)]))
    [2. 2.]
    """

    def check(self, shapes: list[tuple[Any, ...]]) -> None:
        super().check(shapes)
        if len(shapes) != 2:
            raise self._misfit("exactly 2 inputs", shapes)

    def merge(self, inputs: Any, masks: Any) -> jax.Array:
        return ops.subtract(*inputs)


@layer("keras.layers")
class Multiply(Merge):
    """The product of the inputs. A masked entry counts as 1; where all inputs have masks and all
    say no, it is 0.

    Raises:
        ValueError: no list of inputs, or shapes that do not go together.

    >>> import numpy as np
    >>> print(Multiply()([np.full(2, 3.0), np.full(2, 2.0)]))
    [6. 6.]
    """

    def merge(self, inputs: Any, masks: Any) -> jax.Array:
        masks = list(map(_wide, masks, inputs))
        product = functools.reduce(ops.multiply, map(_masked_to_ones, inputs, masks))
        if any(m is None for m in masks):
            return product
        return jnp.where(
            functools.reduce(jnp.logical_or, masks), product, jnp.zeros((), product.dtype)
        )


def _masked_to_ones(x: jax.Array, mask: jax.Array | None) -> jax.Array:
    """x, with 1 where the mask says no."""
    if mask is None:
        return x
    return jnp.where(mask, x, jnp.ones((), x.dtype))


@layer("keras.layers")
class Average(Merge):
    """The mean of the inputs.

    Raises:
        ValueError: no list of inputs, or shapes that do not go together.

    >>> import numpy as np
    >>> print(Average()([np.ones(2), np.zeros(2)]))
    [0.5 0.5]
    """

    def merge(self, inputs: Any, masks: Any) -> jax.Array:
        return ops.divide(functools.reduce(ops.add, inputs), len(inputs))


@layer("keras.layers")
class Maximum(Merge):
    """The largest of the inputs, entry by entry; masked entries do not count.

    Raises:
        ValueError: no list of inputs, or shapes that do not go together.

    >>> import numpy as np
    >>> print(Maximum()([np.array([1.0, 4.0]), np.array([2.0, 3.0])]))
    [2. 4.]
    """

    def merge(self, inputs: Any, masks: Any) -> jax.Array:
        return _extremum(ops.maximum, inputs, masks)


@layer("keras.layers")
class Minimum(Merge):
    """The smallest of the inputs, entry by entry; masked entries do not count.

    Raises:
        ValueError: no list of inputs, or shapes that do not go together.

    >>> import numpy as np
    >>> print(Minimum()([np.array([1.0, 4.0]), np.array([2.0, 3.0])]))
    [1. 3.]
    """

    def merge(self, inputs: Any, masks: Any) -> jax.Array:
        return _extremum(ops.minimum, inputs, masks)


@layer("keras.layers")
class Concatenate(Merge):
    """The inputs one after the other along an axis; their other sizes are equal.

    Args:
        axis: the axis along which they are put; its size is the sum of theirs.
    Raises:
        ValueError: no list of inputs, or shapes that do not go together.

    >>> import numpy as np
    >>> print(Concatenate()([np.array([[1.0, 2.0]]), np.array([[3.0]])]))
    [[1. 2. 3.]]
    """

    axis: int = -1

    def check(self, shapes: list[tuple[Any, ...]]) -> None:
        rank = len(shapes[0])
        if any(len(s) != rank for s in shapes):
            raise self._misfit("inputs with the same number of axes", shapes)
        if not -rank <= self.axis < rank:
            raise AxisError(
                explain(self._where, f"inputs that have the axis {self.axis}", f"shapes {shapes}")
            )
        for axis, sizes in enumerate(zip(*shapes)):
            if axis != self.axis % rank and len(set(sizes) - {None}) > 1:
                raise self._misfit(f"inputs whose shapes agree except on axis {self.axis}", shapes)

    def merged_shape(self, shapes: Sequence[Sizes]) -> Any:
        sizes, along = list(shapes[0]), [s[self.axis] for s in shapes]
        sizes[self.axis] = None
        if None not in along:
            sizes[self.axis] = sum(along)
        return tuple(sizes)

    def forward(self, w: Mapping[str, Any], inputs: list[jax.Array], ctx: Context) -> jax.Array:
        return ops.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Structure:
        masks = self._checked_masks(inputs, mask)
        if masks is None or all(m is None for m in masks):
            return None
        wide = []
        for x, m in zip(inputs, masks):
            if m is None:
                m = ops.ones_like(x, dtype="bool")
            elif m.ndim < x.ndim:
                m = ops.logical_or(ops.expand_dims(m, axis=-1), ops.zeros_like(x, dtype="bool"))
            wide.append(m)
        return ops.any(ops.concatenate(wide, axis=self.axis), axis=-1)


@layer("keras.layers")
class Dot(Merge):
    """The dot product of two inputs along one axis of each, batch by batch.

    (batch, *a, n) and (batch, n, *b) -> (batch, *a, *b); two vectors for each sample give (batch,
    1).

    Args:
        axes: the axis, or one for each input.
        normalize: whether the inputs are scaled to length 1 along it first, which gives the cosine
            of the angle.
    Raises:
        ValueError: no list of inputs, or shapes that do not go together.

    >>> import numpy as np
    >>> print(Dot(axes=1)([np.ones((1, 3)), np.ones((1, 3))]))
    [[3.]]
    """

    axes: Sizes
    normalize: bool = False

    def __post_init__(self) -> None:
        axes = self.axes
        if not isinstance(axes, (int, list, tuple)):
            raise TypeError(
                explain(self._where, "`axes` to be an integer or a list of two", f"axes={axes!r}")
            )
        is_two = isinstance(axes, int) or len(axes) == 2
        if not is_two or not all(isinstance(a, int) for a in self._pair_of_axes()):
            raise ValueError(
                explain(self._where, "`axes` to be an integer or a list of two", f"axes={axes!r}")
            )

    def _pair_of_axes(self) -> tuple[int, ...]:
        """The axis of each input, as the argument says."""
        if isinstance(self.axes, int):
            return self.axes, self.axes
        return self.axes

    def _axes_for(self, *shapes: Any) -> list[int]:
        """The axes counted from the front, for shapes of these inputs."""
        axes = [a % len(s) if a < 0 else a for a, s in zip(self._pair_of_axes(), shapes)]
        if 0 in axes or any(a >= len(s) for a, s in zip(axes, shapes)):
            raise AxisError(
                explain(
                    self._where,
                    f"inputs that have the axes {self.axes}, other than the batch axis",
                    f"shapes {', '.join(map(str, shapes))}",
                )
            )
        return axes

    def check(self, shapes: list[tuple[Any, ...]]) -> None:
        if len(shapes) != 2:
            raise self._misfit("exactly 2 inputs", shapes)
        first_axis, second_axis = self._axes_for(*shapes)
        if shapes[0][first_axis] != shapes[1][second_axis]:
            raise self._misfit(f"the same size on axes {first_axis} and {second_axis}", shapes)

    def merged_shape(self, shapes: Sequence[Sizes]) -> Any:
        first_axis, second_axis = self._axes_for(*shapes)
        sizes = [n for i, n in enumerate(shapes[0]) if i != first_axis]
        sizes += [n for i, n in enumerate(shapes[1]) if i not in (0, second_axis)]
        if len(sizes) == 1:
            return (*sizes, 1)
        return tuple(sizes)

    def forward(self, w: Mapping[str, Any], inputs: list[jax.Array], ctx: Context) -> jax.Array:
        x, y = inputs
        first_axis, second_axis = self._axes_for(x.shape, y.shape)
        if self.normalize:
            x, y = ops.normalize(x, axis=first_axis), ops.normalize(y, axis=second_axis)
        if is_sparse(x) or is_sparse(y):
            product = _sparse_product(x, y, first_axis, second_axis)
            return ops.reshape(product, self.merged_shape([x.shape, y.shape]))
        dtype = jnp.result_type(x, y)
        result = jax.lax.dot_general(
            x.astype(dtype), y.astype(dtype), (((first_axis,), (second_axis,)), ((0,), (0,)))
        )
        if result.ndim == 1:
            return result[:, None]
        return result

    def compute_mask(self, inputs: Any, mask: Any = None) -> Structure:
        return None


def _sparse_product(x: jax.Array, y: jax.Array, first_axis, second_axis) -> Any:
    """The product of each sample's matrices, which ops have for sparse arrays."""
    rows = [i for i in range(1, x.ndim) if i != first_axis]
    columns = [i for i in range(1, y.ndim) if i != second_axis]
    batch, size = x.shape[0], x.shape[first_axis]
    x = ops.reshape(ops.transpose(x, (0, *rows, first_axis)), (batch, -1, size))
    y = ops.reshape(ops.transpose(y, (0, second_axis, *columns)), (batch, size, -1))
    return ops.matmul(x, y)


# ---------------------------------------------------------------- function forms


def _function_of(cls: type[Layer], example: str, shown: str) -> Function:
    """The function form of a merge layer."""

    def merge(inputs: "Sequence[TensorLike]", **kwargs: Any) -> jax.Array:
        return cls(**kwargs)(inputs)

    merge.__name__ = merge.__qualname__ = name = cls.__name__.lower()
    merge.__doc__ = f"""`{cls.__name__}(**kwargs)(inputs)`, entry by entry.

    Args:
        inputs: list of arrays or symbolic tensors, whose shapes broadcast to each other.
        kwargs: of the layer, such as `name`.
    Returns:
        one array, of the shape that they broadcast to.

    >>> import numpy as np
    >>> print({name}({example}))
    {shown}
    """
    return public(f"keras.layers.{name}")(merge)


add = _function_of(Add, "[np.ones(2), np.ones(2)]", "[2. 2.]")
subtract = _function_of(Subtract, "[np.full(2, 3.0), np.ones(2)]", "[2. 2.]")
multiply = _function_of(Multiply, "[np.full(2, 3.0), np.full(2, 2.0)]", "[6. 6.]")
average = _function_of(Average, "[np.ones(2), np.zeros(2)]", "[0.5 0.5]")
maximum = _function_of(Maximum, "[np.ones(2), np.zeros(2)]", "[1. 1.]")
minimum = _function_of(Minimum, "[np.ones(2), np.zeros(2)]", "[0. 0.]")


@public("keras.layers.concatenate")
def concatenate(inputs: "Sequence[TensorLike]", axis: int = -1, **kwargs: Any) -> jax.Array:
    """The inputs one after the other along an axis: `Concatenate(axis, **kwargs)(inputs)`.

    Args:
        inputs: list of arrays or symbolic tensors, whose other sizes are equal.
        axis: the axis along which they are put.
        kwargs: of the layer, such as `name`.
    Returns:
        one array, whose size along `axis` is the sum of theirs.

    >>> import numpy as np
    >>> print(concatenate([np.array([[1.0, 2.0]]), np.array([[3.0]])]))
    [[1. 2. 3.]]
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


@public("keras.layers.dot")
def dot(inputs: "Sequence[TensorLike]", axes: "PerAxis" = -1, **kwargs: Any) -> jax.Array:
    """The dot product of two inputs along one axis of each: `Dot(axes, **kwargs)(inputs)`.

    Args:
        inputs: list of two arrays or symbolic tensors.
        axes: as for `Dot`.
        kwargs: of the layer: `normalize`, `name`, `dtype`.
    Returns:
        (batch, *a, *b) for inputs (batch, *a, n) and (batch, n, *b); (batch, 1) for two vectors.

    >>> import numpy as np
    >>> print(dot([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])]))
    [[11.]]
    """
    return Dot(axes=axes, **kwargs)(inputs)
