"""The Gauss-Newton matrix as Kronecker products, one for each weight (K-FAC: Martens and Grosse
2015, arXiv:1503.05671; of weights that are used at several positions, as in convolutions, Grosse
and Martens 2016, arXiv:1602.01407, and Eschenhagen et al. 2023, arXiv:2311.00636).

A weight's gradient is a sum over positions of what goes into its operation, by the gradient of what
comes out. The products of the former with themselves, in the mean over rows and positions, make one
factor; those of the latter, summed, the other. What a bias is multiplied by is 1. Weights of other
operations have the whole matrix of their own instead.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.programs.products import product_of
from jkeras.programs.sites import Use, uses
from jkeras.uncertainty.curvature import Columns, Diagonal, over_rows

LARGEST_FACTOR = 8192  # rows of a factor: 256 MiB in float32
Tree = Any


class Block(NamedTuple):
    """The basis of one weight in which its Kronecker product is diagonal.

    Attributes:
        left, right: the eigenvectors of both factors.
        order: which number of the weight lies where in the matrix; None: they are in order.
    """

    left: jax.Array
    right: jax.Array
    order: np.ndarray | jax.Array | None

    def into(self, leaf: jax.Array, axes: int) -> jax.Array:
        """The coordinates, along a last axis, of a weight that has so many axes before its own."""
        before = leaf.shape[:axes]
        numbers = leaf.reshape(*before, -1)
        if self.order is not None:
            numbers = numbers[..., self.order]
        matrix = numbers.reshape(*before, len(self.left), len(self.right))
        return (self.left.T @ matrix @ self.right).reshape(*before, -1)

    def out_of(self, coordinates: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """The weight of coordinates."""
        before = coordinates.shape[:-1]
        matrix = coordinates.reshape(*before, len(self.left), len(self.right))
        numbers = (self.left @ matrix @ self.right.T).reshape(*before, -1)
        if self.order is not None:
            numbers = numbers[..., jnp.argsort(self.order)]
        return numbers.reshape(*before, *shape)


class Blocks(NamedTuple):
    """The basis of all weights, in the order of the tree's leaves."""

    blocks: tuple[Block, ...]

    def into(self, tree: Tree, axes: int = 0) -> jax.Array:
        """The coordinates of vectors, along a last axis."""
        leaves = jax.tree_util.tree_leaves(tree)
        parts = [block.into(leaf, axes) for block, leaf in zip(self.blocks, leaves)]
        return jnp.concatenate(parts, axis=-1)

    def out_of(self, coordinates: jax.Array, like: Tree) -> Tree:
        """The vectors of coordinates."""
        leaves, treedef = jax.tree_util.tree_flatten(like)
        ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
        parts = jnp.split(coordinates, ends, axis=-1)
        shapes = [leaf.shape for leaf in leaves]
        return treedef.unflatten(
            [block.out_of(*arrays) for block, *arrays in zip(self.blocks, parts, shapes)]
        )


def kronecker(columns: Columns) -> Diagonal:
    """The Kronecker products of all weights.

    Raises:
        ValueError: a factor of too many rows, or a large weight in an operation that no factors are
            known of; it is named.
    """
    meeting = _Meeting(columns)
    inputs, slopes = meeting.shapes()
    _check(columns, meeting, inputs, slopes)
    numbers = sum(math.prod(shape) for shape in (*inputs, *slopes))
    rows = len(jax.tree_util.tree_leaves(columns.x)[0])

    def add_inputs(totals: list, x: Any, counts: jax.Array) -> list:
        of_rows = jax.vmap(lambda x: meeting.of_row(x, meeting.no_column)[0])(x)
        of_rows = [one * counts[:, None, None] for one in of_rows]
        return [total + _gram(one) for total, one in zip(totals, of_rows)]

    def add_slopes(totals: list, x: Any, s: jax.Array) -> list:
        of_rows = jax.vmap(lambda x, s: meeting.of_row(x, s)[1])(x, s)
        return [total + _gram(slopes) for total, slopes in zip(totals, of_rows)]

    zeros = lambda shapes: [jnp.zeros((width, width)) for _, width in shapes]  # noqa: E731
    at_once = columns.rows_at_once(numbers)
    lefts = over_rows(add_inputs, zeros(inputs), columns.x, at_once)
    lefts = [total / (rows * positions) for total, (positions, _) in zip(lefts, inputs)]
    rights = columns.over(add_slopes, zeros(slopes), numbers)
    return _diagonal(lefts, rights, meeting.orders)


def _gram(rows: jax.Array) -> jax.Array:
    """The product of (rows, positions, numbers) with itself."""
    flat = rows.reshape(-1, rows.shape[-1])
    return flat.T @ flat


def _diagonal(lefts: list[jax.Array], rights: list[jax.Array], orders: list) -> Diagonal:
    """The products of factors in their own basis."""
    values, blocks = [], []
    for left, right, order in zip(lefts, rights, orders):
        (of_left, left), (of_right, right) = _eigen(left), _eigen(right)
        values.append(jnp.outer(of_left, of_right).reshape(-1))
        blocks.append(Block(left, right, order))
    return Diagonal(jnp.concatenate(values), Blocks(tuple(blocks)))


def _eigen(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and eigenvectors; values that are below 0 by rounding are 0."""
    values, vectors = jnp.linalg.eigh(matrix)
    return jnp.maximum(values, 0), vectors


class _Meeting:
    """What meets at each weight.

    Attributes:
        no_column: a column of zeros.
        orders: of the numbers of each weight, known when a row has been looked at.
        kinds: names of the operations that take each weight.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        outputs = jax.eval_shape(columns.function, columns.params, columns.x)
        self.no_column = jnp.zeros(outputs.shape[1], outputs.dtype)
        self.orders: list = []
        self.kinds: list[list[str]] = []

    def of_row(self, x: Any, s: jax.Array) -> tuple[list, list]:
        """(inputs, slopes) of all weights, each (positions, numbers), of one row and column."""
        params = self.columns.params
        value = lambda params, x, s: self.columns.of_row(params, x) @ s  # noqa: E731
        leaves = jax.tree_util.tree_leaves(params)
        of_leaves = uses(value, params, x, s)
        self.kinds = [[use.site.entry.primitive.name for use in of_leaf] for of_leaf in of_leaves]
        met = [_product(leaf, of_leaf) for leaf, of_leaf in zip(leaves, of_leaves)]
        self.orders = [order for _, _, order in met]
        return [inputs for inputs, _, _ in met], [slopes for _, slopes, _ in met]

    def shapes(self) -> tuple[list, list]:
        """The shapes of inputs and slopes."""
        row = jax.tree_util.tree_map(lambda v: v[0], self.columns.x)
        inputs_and_slopes = jax.eval_shape(self.of_row, row, self.no_column)
        return tuple([array.shape for array in arrays] for arrays in inputs_and_slopes)


def _product(leaf: jax.Array, uses: list[Use]) -> tuple[jax.Array, jax.Array, np.ndarray | None]:
    """(inputs, slopes, order) of a weight; where no product is known, its gradient as one."""
    product = product_of(uses[0]) if len(uses) == 1 else None
    if product is not None:
        with jax.ensure_compile_time_eval():
            order = np.asarray(product.order(uses[0], leaf.shape))
        in_order = np.array_equal(order, np.arange(leaf.size))
        return product.inputs, product.slopes, None if in_order else order
    gradient = sum((use.gradient(leaf) for use in uses), jnp.zeros_like(leaf))
    return jnp.ones((1, 1)), gradient.reshape(1, -1), None


def _check(columns: Columns, meeting: _Meeting, inputs: list, slopes: list) -> None:
    """Raises ValueError where a factor is too large, and says of which weight."""
    paths = jax.tree_util.tree_leaves_with_path(columns.params)
    for (path, leaf), (_, rows), (_, width), kinds in zip(paths, inputs, slopes, meeting.kinds):
        largest = max(rows, width)
        if largest <= LARGEST_FACTOR:
            continue
        name = "/".join(str(key.key) for key in path)
        received = f"one of {largest:,} for '{name}' {leaf.shape}"
        if rows == 1 and leaf.ndim > 1:
            received += f", which is no matrix product or convolution but {kinds}"
        advice = "freeze the layer (`trainable = False`), or take 'diag' or 'last_layer'"
        wanted = f"factors of at most {LARGEST_FACTOR:,} rows for `structure='kron'`"
        raise ValueError(explain(columns.where, wanted, received, advice))
