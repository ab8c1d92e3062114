"""The generalized Gauss-Newton matrix of a likelihood, and roots of the covariance that it makes.

Of rows with outputs f, Jacobian J and Hessian S S.T of the negative log-likelihood by f it is the
sum of J.T S S.T J (Schraudolph 2002; Martens 2014, arXiv:1412.1193). So it is the sum of products
of gradients with themselves: those of `f @ s` for each column s of S.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from jkeras.core.errors import explain
from jkeras.training.data.sizes import in_passes

Tree = Any
LARGEST = 16384  # parameters whose matrix is made: of 1 GiB in float32
UNIT = float(jnp.finfo("float32").eps)
OF_BASIS = 1e4  # axes of a basis are off by so much less than the values along them
AT_ONCE = 2**25  # numbers in the gradients that are there at once: 128 MiB in float32


def flat(tree: Tree, axes: int = 0) -> jax.Array:
    """All numbers of a tree along a last axis, after axes that all leaves have first.

    >>> flat({"a": jnp.ones((2, 3)), "b": jnp.zeros(2)}, axes=1).shape
    (2, 4)
    """
    leaves = jax.tree_util.tree_leaves(tree)
    return jnp.concatenate([leaf.reshape(*leaf.shape[:axes], -1) for leaf in leaves], axis=-1)


def unflat(numbers: jax.Array, like: Tree) -> Tree:
    """A tree as another one of the numbers along the last axis; axes before it come first."""
    leaves, treedef = jax.tree_util.tree_flatten(like)
    parts, begin = [], 0
    for leaf in leaves:
        part = numbers[..., begin : begin + leaf.size]
        parts.append(part.reshape(*numbers.shape[:-1], *leaf.shape))
        begin += leaf.size
    return treedef.unflatten(parts)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Full:
    """A matrix of all parameters.

    Attributes:
        matrix: (parameters, parameters).
    """

    matrix: jax.Array

    def times(self, number: jax.Array) -> "Full":
        """The matrix times a number above 0."""
        return Full(self.matrix * number)

    def eigenvalues(self) -> jax.Array:
        """(parameters,), none below 0."""
        return jnp.maximum(jnp.linalg.eigvalsh(self.matrix), 0)

    def digits(self, factor: "Triangular") -> jax.Array:
        """How many times as large as what rounding may hide of it the precision of a parameter is
        that the others leave, at least; NaN where the matrix with the prior has no root.
        """
        left = jnp.diagonal(factor.lower) ** 2
        return jnp.min(left / (jnp.diagonal(self.matrix) + factor.prior)) / UNIT

    def factor(self, precision: jax.Array) -> "Triangular":
        """A root of the inverse of the matrix with a number added to its diagonal.

        By Cholesky's decomposition, which in float32 is ten times as exact as that by eigenvalues.
        """
        eye = jnp.eye(len(self.matrix), dtype=self.matrix.dtype)
        return Triangular(jnp.linalg.cholesky(self.matrix + precision * eye), precision)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Triangular:
    """The root of a covariance matrix whose inverse is a triangular matrix's product with itself.

    Attributes:
        lower: the triangular matrix, `lower @ lower.T` the inverse of the covariance.
        prior: the precision that the covariance would have if there were no data.
    """

    lower: jax.Array
    prior: jax.Array

    def whiten(self, tree: Tree, axes: int = 0) -> jax.Array:
        """Products of the root with vectors, which are trees like the params with so many axes
        before: their products with one another are those that the covariance gives.
        """
        rows = flat(tree, axes)
        solved = solve_triangular(self.lower, rows.reshape(-1, rows.shape[-1]).T, lower=True)
        return solved.T.reshape(rows.shape)

    def colour(self, numbers: jax.Array, like: Tree) -> Tree:
        """Vectors of this covariance from ones (vectors, parameters) of covariance 1."""
        solved = solve_triangular(self.lower, numbers.T, trans=1, lower=True)
        return unflat(solved.T, like)

    def log_ratio(self) -> jax.Array:
        """The logarithm of the prior's volume over the posterior's, squared."""
        return 2 * jnp.sum(jnp.log(jnp.diagonal(self.lower) / jnp.sqrt(self.prior)))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Diagonal:
    """A matrix that is diagonal in some basis.

    Attributes:
        values: the diagonal there, (parameters,).
        basis: with methods `into` and `out_of`, which turn vectors without changing their length.
    """

    values: jax.Array
    basis: Any

    def times(self, number: jax.Array) -> "Diagonal":
        """The matrix times a number above 0."""
        return Diagonal(self.values * number, self.basis)

    def eigenvalues(self) -> jax.Array:
        """(parameters,)"""
        return self.values

    def digits(self, factor: "Scaled") -> jax.Array:
        """As of `Full`; infinite where values are sums of squares. Rounding hides less of values
        than of the basis, so that it is told in other units.
        """
        if isinstance(self.basis, Axes):
            return jnp.full((), jnp.inf)
        least, largest = jnp.min(self.values) + factor.prior, jnp.max(self.values) + factor.prior
        return OF_BASIS * least / largest / UNIT

    def factor(self, precision: jax.Array) -> "Scaled":
        """A root of the inverse of the matrix with a number added to its diagonal."""
        return Scaled(self.values, precision, self.basis)


class Axes(NamedTuple):
    """The basis of the parameters themselves."""

    def into(self, tree: Tree, axes: int = 0) -> jax.Array:
        """The coordinates of vectors, along a last axis."""
        return flat(tree, axes)

    def out_of(self, coordinates: jax.Array, like: Tree) -> Tree:
        """The vectors of coordinates."""
        return unflat(coordinates, like)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Scaled:
    """The root of a covariance matrix that is diagonal in some basis; methods as of `Triangular`.

    Attributes:
        values, prior: in this basis the covariance is `1 / (values + prior)`.
        basis: as of `Diagonal`.
    """

    values: jax.Array
    prior: jax.Array
    basis: Any

    @property
    def variances(self) -> jax.Array:
        """Those along the axes of the basis."""
        return 1 / (self.values + self.prior)

    def whiten(self, tree: Tree, axes: int = 0) -> jax.Array:
        """Products of the root with vectors."""
        return self.basis.into(tree, axes) * jnp.sqrt(self.variances)

    def colour(self, numbers: jax.Array, like: Tree) -> Tree:
        """Vectors of this covariance from ones of covariance 1."""
        return self.basis.out_of(numbers * jnp.sqrt(self.variances), like)

    def log_ratio(self) -> jax.Array:
        """The logarithm of the prior's volume over the posterior's, squared."""
        return jnp.sum(jnp.log1p(self.values / self.prior))


def full(columns: "Columns") -> Full:
    """The whole matrix.

    Raises:
        ValueError: more parameters than a matrix is made of.
    """
    count = columns.parameters
    if count > LARGEST:
        advice = "take `structure='kron'`, 'diag' or 'last_layer'"
        size = f"{count:,} parameters, a matrix of {4 * count**2 / 2**30:.1f} GiB"
        raise ValueError(explain(columns.where, f"at most {LARGEST:,} parameters", size, advice))

    def add(total: jax.Array, gradients: Tree) -> jax.Array:
        rows = flat(gradients, 1)
        return total + rows.T @ rows

    return Full(columns.sum(add, jnp.zeros((count, count))))


def diagonal(columns: "Columns") -> Diagonal:
    """The diagonal of the matrix alone."""

    def add(total: jax.Array, gradients: Tree) -> jax.Array:
        return total + jnp.sum(flat(gradients, 1) ** 2, axis=0)

    return Diagonal(columns.sum(add, jnp.zeros(columns.parameters)), Axes())


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of all rows' S, and the gradients of `f @ s` for them.

    Args:
        function: `(params, x) -> (rows, outputs)`.
        root: of the likelihood, `outputs of a row -> (outputs, columns)`.
        params: a tree.
        x: rows, structures of arrays.
        batch_size: how many rows there are at once; None: as many as memory has place for.
        where: what errors begin with.
    """

    function: Callable
    root: Callable
    params: Tree
    x: Any
    batch_size: int | None = None
    where: str = "uncertainty"

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        return sum(leaf.size for leaf in jax.tree_util.tree_leaves(self.params))

    def of_row(self, params: Tree, x: Any) -> jax.Array:
        """The outputs of one row without its first axis."""
        return self.function(params, jax.tree_util.tree_map(lambda v: v[None], x))[0]

    def sum(self, add: Callable, start: Any) -> Any:
        """What a sum over all rows and columns is in the end.

        Args:
            add: `(sum, gradients) -> sum`; trees like the params, rows along the first axis.
        """
        gradient = jax.grad(lambda params, x, s: self.of_row(params, x) @ s)
        gradients = jax.vmap(gradient, (None, 0, 0))
        return self.over(lambda total, x, s: add(total, gradients(self.params, x, s)), start)

    def over(self, step: Callable, start: Any, numbers: int | None = None) -> Any:
        """What some rows after the other, and all their columns, make of a start.

        Args:
            numbers: as of `rows_at_once`.
            step: `(carry, rows, (rows, outputs)) -> carry`, of one column of each row's S; zero
                in rows that do not count.
        """

        def one_column(carry: tuple, s: jax.Array) -> tuple:
            total, x = carry
            return (step(total, x, s), x), None

        def some_rows(total: Any, x: Any, counts: jax.Array) -> Any:
            roots = jax.vmap(self.root)(self.function(self.params, x))  # (rows, outputs, columns)
            roots = roots * counts[:, None, None]
            (total, _), _ = jax.lax.scan(one_column, (total, x), jnp.moveaxis(roots, -1, 0))
            return total

        return over_rows(some_rows, start, self.x, self.rows_at_once(numbers))

    def rows_at_once(self, numbers: int | None = None) -> int:
        """How many rows there are at once, where each has so many numbers: by default those of a
        gradient.
        """
        return self.batch_size or max(AT_ONCE // (numbers or self.parameters), 1)


def over_rows(step: Callable, start: Any, x: Any, at_once: int) -> Any:
    """What some rows after the other make of a start.

    Args:
        step: `(carry, rows, which of them count) -> carry`.

    >>> total = over_rows(lambda sum, x, counts: sum + (x * counts).sum(), 0.0, jnp.arange(5.0), 2)
    >>> float(total)
    10.0
    """
    numbers, counts = in_passes(len(jax.tree_util.tree_leaves(x)[0]), at_once)
    batches = jax.tree_util.tree_map(lambda v: v[numbers], x)

    def some(carry: Any, batch: tuple) -> tuple:
        return step(carry, *batch), None

    return jax.lax.scan(some, start, (batches, counts))[0]
