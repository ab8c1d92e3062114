"""The exact GELU in the form that is fast where it runs; everywhere the numbers of the plain form.

XLA:CPU computes the complementary error function by three polynomials, in three loops over memory
where a gradient is taken, whose results are stored until then. There the normal distribution is
computed by one polynomial, and again for the gradient.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from jkeras.ops.kernels import on_cpu

# The tail of the normal distribution beyond y, by its density: P(Y > y) exp(y**2 / 2) = t p(t) with
# t = 1 / (1 + y / 4); the polynomial with the least relative error, 3.4e-8, lowest power first.
TAIL = (
    0.0997355667,
    0.0997364316,
    0.0934663563,
    0.0816030981,
    0.0589752081,
    0.0636989349,
    -0.0317172117,
    0.0955967655,
    -0.0808771355,
    0.0197819691,
)


def gelu(x: jax.Array) -> jax.Array:
    """x * P(N(0, 1) <= x).

    >>> gelu(jnp.array([0.0, 10.0]))
    Array([ 0., 10.], dtype=float32)
    """
    if x.dtype == jnp.float32 and on_cpu():
        return _compiled(x)
    return jax.nn.gelu(x, approximate=False)


@jax.custom_jvp
def gelu_by_tail(x: jax.Array) -> jax.Array:
    """`gelu` in float32, with few residuals for the gradient."""
    return x * normal_distribution(x)


@gelu_by_tail.defjvp
def _gelu_by_tail_jvp(
    primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    (x,) = primals
    (dx,) = tangents
    y = gelu_by_tail(x)
    # else XLA keeps the parts that both have in common
    x = lax.optimization_barrier(x)
    return y, dx * (normal_distribution(x) + x * normal_density(x))


# outside a program too one operation; inside `inline` leaves the function as it is
_compiled = jax.jit(gelu_by_tail, inline=True)


@jax.custom_jvp
def normal_distribution(x: jax.Array) -> jax.Array:
    """P(N(0, 1) <= x), with a small relative error in the tail too.

    >>> print(normal_distribution(jnp.array([0.0, 10.0])))
    [0.5 1. ]
    """
    t = 1.0 / (1.0 + 0.25 * jnp.abs(x))
    polynomial = jnp.full_like(t, TAIL[-1])
    for coefficient in reversed(TAIL[:-1]):
        polynomial = polynomial * t + coefficient
    tail = jnp.exp(-0.5 * x * x) * (polynomial * t)
    return jnp.where(x < 0, tail, 1.0 - tail)


@normal_distribution.defjvp
def _normal_distribution_jvp(
    primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, ...]:
    (x,) = primals
    (dx,) = tangents
    return normal_distribution(x), dx * normal_density(x)


def normal_density(x: jax.Array) -> jax.Array:
    """The density of N(0, 1) at x.

    >>> print(normal_density(jnp.array(0.0)).round(4))
    0.3989
    """
    return jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
