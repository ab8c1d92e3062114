"""The weights of a model that a low-rank change can be of, and how they are cut into matrices."""

import functools
import re
import typing
from collections.abc import Iterator

import jax.numpy as jnp

from jkeras.core.weights.paths import own_variables, walk
from jkeras.core.weights.structure import all_built
from jkeras.core.errors import NotBuiltError
from jkeras.kernel import low_rank, tree
from jkeras.layers import EinsumDense, Stack
from jkeras.layers.quantized import QuantizedLayer

NAMES = ("kernel", "embeddings")  # of weights that are matrices, or ends of their names


class Axes(typing.NamedTuple):
    """How the axes of a kernel are cut.

    Attributes:
        blocks: how many at the front count blocks, each with a kernel of its own.
        inputs: how many after them are summed over; the others are those of the output.
    """

    blocks: int
    inputs: int

    def split(self, shape: tuple[int, ...]) -> tuple[tuple, tuple, tuple]:
        """A kernel's sizes of (blocks, inputs, outputs).

        >>> Axes(1, 1).split((3, 8, 2, 4))
        ((3,), (8,), (2, 4))
        """
        end = self.blocks + self.inputs
        return tuple(shape[: self.blocks]), tuple(shape[self.blocks : end]), tuple(shape[end:])


class Kernel(typing.NamedTuple):
    """A kernel as the floats that it stands for.

    Attributes:
        shape, dtype: of the floats.
        axes: how it is cut into (inputs, outputs).

    >>> import jkeras
    >>> attention = jkeras.layers.MultiHeadAttention(num_heads=2, key_dim=4)
    >>> y = attention(jnp.ones((1, 5, 8)), jnp.ones((1, 5, 8)))
    >>> kernels(attention)["query_dense"]["kernel"].axes
    Axes(blocks=0, inputs=1)
    """

    shape: tuple[int, ...]
    dtype: typing.Any
    axes: Axes


def axes_in(kernel: typing.Any) -> Axes:
    """How a leaf of params is cut: as a `Kernel` says, else all axes but the last are inputs.

    >>> axes_in(jnp.ones((3, 3, 8, 4)))
    Axes(blocks=0, inputs=3)
    """
    return getattr(kernel, "axes", None) or Axes(0, len(kernel.shape) - 1)


class Site(typing.NamedTuple):
    """Where a kernel is in a model.

    Attributes:
        layer: that owns it.
        name: its name there.
        kernel: what it is.
    """

    layer: typing.Any
    name: str
    kernel: Kernel


def kernels(model: typing.Any) -> dict:
    """The kernels of a built model as `init` takes them instead of `params`: with the axes that
    layers sum over, and those in few bits with the shape of their floats.

    Args:
        model: a layer or model.

    Returns:
        A nested dict of `Kernel`s; no array is made.

    Raises:
        ValueError: it has no weights yet.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> kernels(model)["dense"]["kernel"].shape
    (3, 2)
    """
    return tree.unflatten((path, site.kernel) for path, site in kernel_sites(model))


def kernel_sites(model: typing.Any) -> Iterator[tuple[tree.Path, Site]]:
    """(path, `Site`) of each kernel of a built model.

    Raises:
        ValueError: it has no weights yet.
    """
    if not model.built or not all_built(model):
        raise NotBuiltError(
            f"Model '{model.name}' has no weights yet. Call it on an input first, or "
            "`model.build(input_shape)`."
        )
    for path, layer in walk(model):
        for name, kernel in _of_layer(layer):
            yield (*path, name), Site(layer, name, kernel)


def _of_layer(layer: typing.Any) -> Iterator[tuple[str, Kernel]]:
    """(name, `Kernel`) of a layer's own kernels, each once."""
    few = {}
    if isinstance(layer, QuantizedLayer):
        few = layer.shapes_in_few_bits()
    able = getattr(layer, "adapts_integers", ())
    floats = {name: (shape, jnp.dtype("float32")) for name, shape in few.items() if name in able}
    for name, variable in own_variables(layer).items():
        shape = tuple(variable.shape)
        is_free = name not in few and not low_rank.is_part(name)
        if is_free and is_kernel(name, shape, variable.dtype):
            floats[name] = shape, jnp.dtype(variable.dtype)
    if floats:
        axes = axes_by_name(layer)
        for name, (shape, dtype) in floats.items():
            yield name, Kernel(shape, dtype, axes.get(name) or Axes(0, len(shape) - 1))


def is_kernel(name: str, shape: tuple[int, ...], dtype: typing.Any) -> bool:
    """Whether a weight is one that a low-rank change can be of.

    >>> is_kernel("recurrent_kernel", (4, 4), "float32"), is_kernel("bias", (2, 4), "float32")
    (True, False)
    """
    is_named = any(name == end or name.endswith(f"_{end}") for end in NAMES)
    return is_named and len(shape) > 1 and jnp.issubdtype(dtype, jnp.floating)


@functools.singledispatch
def axes_by_name(layer: typing.Any) -> dict[str, Axes]:
    """How a layer's kernels are cut, where not all axes but the last are summed over."""
    return {}


@axes_by_name.register
def _(layer: EinsumDense) -> dict[str, Axes]:
    """As the equation says, where the axes that it sums over come first."""
    _, kernel, outputs = re.split(",|->", layer.equation)
    is_summed = [letter not in outputs for letter in kernel]
    inputs = sum(is_summed)
    if not 0 < inputs < len(kernel) or not all(is_summed[:inputs]):
        return {}
    return {"kernel": Axes(0, inputs)}


@axes_by_name.register
def _(layer: Stack) -> dict[str, Axes]:
    """As the layers in a block have it, behind the axis of the blocks."""
    found = {}
    for path, inner in walk(layer.built_block()):
        for name, kernel in _of_layer(inner):
            axes = kernel.axes
            found["_".join((*path, name))] = Axes(axes.blocks + 1, axes.inputs)
    return found
