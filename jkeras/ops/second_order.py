"""Kernels that have a gradient of their own, and none of that gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jkeras.core.weights.types import Function, Structure, TensorLike


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

    def function(*arrays: TensorLike, **others: Any) -> Structure:
        return _differentiable(slow, fast, others)(*arrays)

    return function


def _differentiable(slow: Function, fast: Function, others: dict[str, Any]) -> Function:
    """`fast` as a function of its arrays alone."""
    structures = []  # of the transposed kernel with its residuals, as it was traced last

    def fast_of(*arrays: Any) -> Structure:
        return fast(*arrays, **others)

    def slow_of(*arrays: Any) -> Structure:
        return slow(*arrays, **others)

    def slow_gradient(arrays: Sequence[jax.Array], cotangent: Structure) -> Structure:
        return jax.vjp(slow_of, *arrays)[1](cotangent)

    linearized = _linearized(fast_of, slow_gradient, structures)
    gradient = _gradient(slow_gradient, structures)

    @jax.custom_vjp
    def value(*arrays: Any) -> Structure:
        return fast_of(*arrays)

    def forwards(*arrays: Any) -> Structure:
        y, residuals = linearized(*arrays)
        return y, (arrays, residuals)

    def backwards(saved: Structure, cotangent: jax.Array) -> Structure:
        return gradient(*saved, cotangent)

    value.defvjp(forwards, backwards)
    return value


def _linearized(fast_of: Function, slow_gradient: Function, structures: list) -> Function:
    """The fast kernel and what its gradient needs, `(y, residuals)`, as a function of arrays.

    Args:
        structures: gets the structure of the residuals.
    """

    @jax.custom_vjp
    def linearized(*arrays: Any) -> Structure:
        y, transposed = jax.vjp(fast_of, *arrays)
        residuals, structure = jax.tree_util.tree_flatten(transposed)
        structures.append(structure)
        return y, residuals

    def linearized_forwards(*arrays: Any) -> Structure:
        return linearized(*arrays), arrays

    def linearized_backwards(arrays: Sequence[jax.Array], cotangents: Structure) -> Structure:
        return slow_gradient(arrays, cotangents[0])

    linearized.defvjp(linearized_forwards, linearized_backwards)
    return linearized


def _gradient(slow_gradient: Function, structures: list) -> Function:
    """The gradient of the fast kernel as a function of arrays, residuals and a cotangent."""

    @jax.custom_vjp
    def gradient(
        arrays: Sequence[jax.Array], residuals: Structure, cotangent: jax.Array
    ) -> Structure:
        del arrays
        return jax.tree_util.tree_unflatten(structures[-1], residuals)(cotangent)

    def gradient_forwards(
        arrays: Sequence[jax.Array], residuals: Structure, cotangent: jax.Array
    ) -> Structure:
        return gradient(arrays, residuals, cotangent), (arrays, cotangent)

    def gradient_backwards(saved: Structure, cotangents: Structure) -> Structure:
        arrays, cotangent = saved
        of_arrays, of_cotangent = jax.vjp(slow_gradient, arrays, cotangent)[1](cotangents)
        return of_arrays, None, of_cotangent

    gradient.defvjp(gradient_forwards, gradient_backwards)
    return gradient
