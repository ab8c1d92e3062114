"""A loop whose weight gradients are one product of matrices each, after the backward loop.

The gradient of a loop adds up the gradient of a kernel step by step: in each, it reads and writes
an array of the kernel's size. XLA:CPU takes a fifth of the time of an LSTM for that, and XLA for
TPUs, by its own estimate, a sixth. Here the tangents of a step's products are those of all steps at
once, before the loop, which takes them as an input. Transposed, that is a loop that gives the
gradients of the products, and the kernels' gradients after it. Forward mode alone takes longer so,
since values and tangents are two loops.
"""

from __future__ import annotations

import typing
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from jkeras.ops.kernels import is_static, on_accelerator, on_cpu, transposes_loops
from jkeras.core.weights.types import Function, Structure

LEAST_HEIGHT = 4  # of the kernels of input and state, in batch sizes
LARGEST = 6 * 2**20  # bytes of the gradients of the products in all steps


class Split(typing.NamedTuple):
    """A step in two parts, as pure functions of all arrays that they need.

    weights: structure of arrays, which may be differentiated.
    width: how many elements `combine` gives for a row of the batch.
    combine: `(weights, x, h) -> a`, the products of the input and of the first state with kernels:
        for one step, or for all with time as the leading axis.
    advance: `(weights, a, states) -> (output, new states)`.
    """

    weights: typing.Any
    width: int
    combine: typing.Callable
    advance: typing.Callable


def pays_split(split: Split, inputs: jax.Array, states: Structure) -> bool:
    """Whether a loop in two parts is faster where it runs, and can be transposed.

    The gradients of the products take less to write and to read than those of the kernels where the
    kernels are higher than the batch, and, on a CPU, as long as all steps of them stay in the
    cache. On accelerators one large product is better than many small ones whatever the batch, and
    the other form, which projects all inputs before the loop, has arrays of that size, too.
    """
    if not transposes_loops() or not is_static(inputs.shape):
        return False
    if not on_cpu():
        return on_accelerator()
    x, h = inputs, states[0]
    if LEAST_HEIGHT * h.shape[0] > x.shape[-1] + h.shape[-1]:
        return False
    size = x.shape[0] * h.shape[0] * split.width * h.dtype.itemsize
    return 0 < size <= LARGEST


def run_split(
    split: Split, loop: Function, inputs: jax.Array, states: Structure, valid: jax.Array | None
) -> tuple[jax.Array, Structure]:
    """The loop over a step in two parts; it can be differentiated in both modes, and repeatedly.

    Args:
        loop: `(step, inputs, states, valid) -> (outputs, last states)`; with `record=True` the
            outputs are a pair: those of the step, and the first states before each step.
    """
    combine, advance = split.combine, split.advance

    @jax.custom_jvp
    def run(
        weights: Structure, inputs: jax.Array, states: Structure, valid: jax.Array | None
    ) -> tuple[jax.Array, Structure]:
        def step(x: jax.Array, states: Structure, t: jax.Array) -> tuple[jax.Array, Structure]:
            return advance(weights, combine(weights, x, states[0]), states)

        return loop(step, inputs, states, valid)

    def run_jvp(primals: Structure, tangents: Structure) -> tuple[Structure, Structure]:
        weights, inputs, states, valid = primals
        of_combine, of_advance = [
            _Moving([weights, others], [tangents[0], moves])
            for others, moves in zip((inputs, states), tangents[1:])
        ]

        def moved_loop(moves: Structure, arrays: Sequence[jax.Array]) -> Structure:
            advancing, first = of_advance.filled(arrays)

            def step(
                now: Structure, states: Structure, t: jax.Array
            ) -> tuple[jax.Array, Structure]:
                x, move = now
                a = jax.tree_util.tree_map(_moved, combine(weights, x, states[0]), move)
                return advance(advancing, a, states)

            (outputs, before), last = loop(step, (inputs, moves), first, valid, record=True)
            return (outputs, last), before

        def combine_all(arrays: Sequence[jax.Array]) -> Structure:
            return combine(*of_combine.filled(arrays), before)

        combined = _combined(combine, weights, inputs, states[0])
        still = jax.tree_util.tree_map(lambda a: jnp.zeros(a.shape, a.dtype), combined)
        (y, before), tangent = jax.linearize(moved_loop, still, of_advance.arrays)
        _, moves = jax.jvp(combine_all, (of_combine.arrays,), (of_combine.tangents,))
        return y, tangent(moves, of_advance.tangents)[0]

    run.defjvp(run_jvp, symbolic_zeros=True)
    return run(split.weights, inputs, states, valid)


class _Moving:
    """The arrays of a structure that have a tangent.

    arrays, tangents: lists of these.
    """

    def __init__(self, primals: Structure, tangents: Structure) -> None:
        self._leaves, self._structure = jax.tree_util.tree_flatten(primals)
        tangents = jax.tree_util.tree_leaves(tangents)
        self._positions = [i for i, v in enumerate(tangents) if not isinstance(v, SymbolicZero)]
        self.arrays = [self._leaves[i] for i in self._positions]
        self.tangents = [tangents[i] for i in self._positions]

    def filled(self, arrays: Sequence[jax.Array]) -> Structure:
        """The structure with other arrays at their positions."""
        leaves = list(self._leaves)
        for position, array in zip(self._positions, arrays):
            leaves[position] = array
        return jax.tree_util.tree_unflatten(self._structure, leaves)


@jax.custom_jvp
def _moved(a: jax.Array, move: jax.Array) -> jax.Array:
    """a, with the sum of both tangents; no zeros are read to be added."""
    del move
    return a


@_moved.defjvp
def _moved_jvp(
    primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    return primals[0], tangents[0] + tangents[1]


def _combined(combine: Function, weights: Structure, inputs: jax.Array, h: jax.Array) -> Structure:
    """The shapes and dtypes of what all steps combine."""

    def of_all(
        weights: Structure, inputs: jax.Array, h: jax.Array
    ) -> jax.Array | tuple[jax.Array, ...]:
        return combine(weights, inputs, jnp.broadcast_to(h, (inputs.shape[0], *h.shape)))

    return jax.eval_shape(of_all, weights, inputs, h)
