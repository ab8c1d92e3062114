"""Kernels that have a gradient of their own, and none of that gradient."""

from __future__ import annotations

from typing import Any

import jax

from jkeras.core.weights.types import Function, Structure, TensorLike

Arrays = tuple[jax.Array, ...]
Others = dict[str, Any]  # pytrees


def with_derivatives_of(slow: Function, fast: Function) -> Function:
    """A function that is computed and differentiated as `fast`, and differentiated a second time as
    `slow`, of the same values.

    A fused kernel comes with a gradient, which is a kernel too and cannot be differentiated.
    Forward mode is not offered.

    Args:
        slow, fast: functions (*arrays, **others) -> an array; `arrays` are floats, and what is in
            `others` is not differentiated.

    >>> square = with_derivatives_of(lambda x: x * x, lambda x: x * x)
    >>> float(jax.grad(jax.grad(square))(3.0))
    2.0
    """

    differentiable = _differentiable(slow, fast)

    def function(*arrays: TensorLike, **others: Any) -> Structure:
        return differentiable(arrays, others)

    return function


# What is not differentiated is an argument of each function all the same: one that they held would
# be of the trace that was going on, and `jax.checkpoint` calls them again in another.


def _differentiable(slow: Function, fast: Function) -> Function:
    """`fast` as a function of (its arrays, the others)."""
    structures = []  # of the transposed kernel with its residuals, as it was traced last

    def slow_gradient(arrays: Arrays, others: Others, cotangent: Structure) -> Structure:
        return jax.vjp(lambda *given: slow(*given, **others), *arrays)[1](cotangent)

    linearized = _linearized(fast, slow_gradient, structures)
    gradient = _gradient(slow_gradient, structures)

    @jax.custom_vjp
    def value(arrays: Arrays, others: Others) -> Structure:
        return fast(*arrays, **others)

    def forwards(arrays: Arrays, others: Others) -> Structure:
        y, residuals = linearized(arrays, others)
        return y, (arrays, others, residuals)

    def backwards(saved: Structure, cotangent: jax.Array) -> Structure:
        return gradient(*saved, cotangent), None

    value.defvjp(forwards, backwards)
    return value


def _linearized(fast: Function, slow_gradient: Function, structures: list) -> Function:
    """The fast kernel and what its gradient needs, `(y, residuals)`, as a function of (arrays,
    others).

    Args:
        structures: gets the structure of the residuals.
    """

    @jax.custom_vjp
    def linearized(arrays: Arrays, others: Others) -> Structure:
        y, transposed = jax.vjp(lambda *given: fast(*given, **others), *arrays)
        residuals, structure = jax.tree_util.tree_flatten(transposed)
        structures.append(structure)
        return y, residuals

    def linearized_forwards(arrays: Arrays, others: Others) -> Structure:
        return linearized(arrays, others), (arrays, others)

    def linearized_backwards(saved: Structure, cotangents: Structure) -> Structure:
        return slow_gradient(*saved, cotangents[0]), None

    linearized.defvjp(linearized_forwards, linearized_backwards)
    return linearized


def _gradient(slow_gradient: Function, structures: list) -> Function:
    """The gradient of the fast kernel as a function of arrays, others, residuals and a
    cotangent.
    """

    @jax.custom_vjp
    def gradient(
        arrays: Arrays, others: Others, residuals: Structure, cotangent: jax.Array
    ) -> Structure:
        del arrays, others
        return jax.tree_util.tree_unflatten(structures[-1], residuals)(cotangent)

    def gradient_forwards(
        arrays: Arrays, others: Others, residuals: Structure, cotangent: jax.Array
    ) -> Structure:
        return gradient(arrays, others, residuals, cotangent), (arrays, others, cotangent)

    def gradient_backwards(saved: Structure, cotangents: Structure) -> Structure:
        arrays, others, cotangent = saved

        def again(arrays: Arrays, cotangent: Structure) -> Structure:
            return slow_gradient(arrays, others, cotangent)

        of_arrays, of_cotangent = jax.vjp(again, arrays, cotangent)[1](cotangents)
        return of_arrays, None, None, of_cotangent

    gradient.defvjp(gradient_forwards, gradient_backwards)
    return gradient
