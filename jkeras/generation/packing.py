"""Weights for the products of a CPU. XLA multiplies few rows by a matrix (in, out) two to four
times slower than the transposed matrix by columns, so generation has transposed copies of large
matrices where there is memory for them.
"""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.core.system.free_memory import free_on_host
from jkeras.kernel import apply as kernel
from jkeras.programs.calls import with_program
from jkeras.programs.matrices import with_products

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr

Tree = Any

SMALLEST = 2**16  # numbers in a matrix that has a copy
MOST_ROWS = 128  # beyond them XLA's own product is as fast
SHARE = 4  # the copies take no more than this part of the free memory


class Packed(NamedTuple):
    """Parameters, and what stands for some of them in products.

    Attributes:
        params: the parameters.
        matrices: {number of a leaf of them: the matrix, transposed}.
    """

    params: Tree
    matrices: dict[int, jax.Array]


def unpacked(params: Tree) -> Tree:
    """The parameters alone."""
    return params.params if isinstance(params, Packed) else params


class Copies(NamedTuple):
    """Transposed copies of some matrices.

    Attributes:
        of: references to the matrices.
        matrices: as of `Packed`.
    """

    of: list[weakref.ref]
    matrices: dict[int, jax.Array]

    def are_of(self, chosen: list) -> bool:
        """Whether they are those of these arrays."""
        return len(self.of) == len(chosen) and all(
            ref() is matrix for ref, matrix in zip(self.of, chosen)
        )


class Packing:
    """The copies of a model's matrices; they stay until other weights are packed.

    Args:
        find: gives the numbers of the leaves of the parameters that rows are multiplied by.
    """

    def __init__(self, find: Callable[[], set[int]]) -> None:
        self._find = find
        self._numbers: list[int] | None = None
        self._copies = Copies([], {})

    def pack(self, params: Tree) -> Tree:
        """The parameters with the copies; without, where these do nothing or take too much."""
        leaves = jax.tree_util.tree_leaves(params)
        if self._numbers is None and all(map(_is_here, leaves)):
            self._numbers = sorted(n for n in self._find() if _is_large(leaves[n]))
        chosen = [leaves[number] for number in self._numbers or ()]
        copies = self._copies  # another thread may pack other weights meanwhile
        if not copies.are_of(chosen):
            if not all(map(_is_here, leaves)):
                return params
            self._copies = Copies([], {})  # so that the memory of those before is free
            copies = self._copies = self._copied(chosen)
        return Packed(params, copies.matrices) if copies.matrices else params

    def _copied(self, chosen: list) -> Copies:
        """Copies of these arrays; none where there is no memory for them."""
        if not _has_room(chosen):
            return Copies([], {})
        matrices = dict(zip(self._numbers or (), map(_transposed, chosen)))
        return Copies([weakref.ref(matrix) for matrix in chosen], matrices)


def _is_here(leaf: Any) -> bool:
    """Whether it is an array that lies on one device."""
    return (
        isinstance(leaf, jax.Array)
        and not isinstance(leaf, jax.core.Tracer)
        and len(leaf.devices()) == 1
    )


def _is_large(leaf: jax.Array) -> bool:
    return leaf.size >= SMALLEST and leaf.dtype == jnp.float32


def _has_room(matrices: list) -> bool:
    """Whether the memory that is free is much more than copies take."""
    free = free_on_host()
    return free is not None and SHARE * sum(matrix.nbytes for matrix in matrices) <= free


@jax.jit
def _transposed(matrix: jax.Array) -> jax.Array:
    """(in, ...) as (all others, in)."""
    return matrix.reshape(matrix.shape[0], -1).T


def product(rows: jax.Array, matrix: jax.Array) -> jax.Array | None:
    """(rows, in) by a matrix (out, in): (rows, out), in the order of XLA's fast product; None: for
    so many rows, or a single one, that of rows is as fast.

    >>> product(jnp.ones((3, 2)), jnp.ones((4, 2))).shape
    (3, 4)
    """
    if not 1 < len(rows) <= MOST_ROWS:
        return None
    # without barriers XLA would move the transpositions of the rows to the matrix
    columns = jax.lax.optimization_barrier(rows.T)
    return jax.lax.optimization_barrier(matrix @ columns).T


def by_copies(function: Callable, params: Tree) -> Any:
    """What a function of parameters gives, its products by their copies where these are faster."""
    if not isinstance(params, Packed):
        return function(params)

    def run(program: "ClosedJaxpr", leaves: list) -> list:
        stand = [params.matrices.get(number) for number in range(len(leaves))]
        return with_products(program, leaves, stand, product)

    return with_program(function, run)(params.params)


class Cached:
    """A forward pass as a function of parameters, with what it cached as an output.

    Args:
        model, state, inputs: of the pass.
        cache: that has the new tokens once the outputs are `joined`.
    """

    def __init__(self, model: Any, state: Tree, inputs: Any, cache: Any) -> None:
        self._given = model, state, inputs
        self._cache = cache

    def run(self, params: Tree) -> tuple[jax.Array, Any]:
        """`(what the model gives, what was cached)`."""
        model, state, inputs = self._given
        self._filled = self._cache.fork()
        y, _ = kernel.apply(model, params, state, (inputs,), {}, training=False, cache=self._filled)
        return y, self._filled.take()

    def joined(self, outputs: tuple[jax.Array, Any]) -> jax.Array:
        """What the model gives, of the outputs of `run`; the cache takes the others."""
        y, new = outputs
        self._cache.join(self._filled, new)
        return y


def forward(
    model: Any, params: Tree, state: Tree, inputs: Any, *, cache: Any, rows: int
) -> jax.Array:
    """What a model gives for inputs, by the copies where they are faster; the cache of the pass has
    the new tokens.

    Args:
        rows: how many tokens there are.
    """
    if isinstance(params, Packed) and 1 < rows <= MOST_ROWS:
        cached = Cached(model, state, inputs, cache)
        return cached.joined(by_copies(cached.run, params))
    values = unpacked(params), state
    return kernel.apply(model, *values, (inputs,), {}, training=False, cache=cache)[0]
