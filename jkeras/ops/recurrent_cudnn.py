"""An LSTM by cuDNN, through the call of it that JAX has."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jkeras.ops.recurrent_kernels import LSTM, by_xla
from jkeras.ops.second_order import with_derivatives_of

Arrays = tuple[jax.Array, ...]


def takes(inputs: jax.Array, weights: Arrays, states: list[jax.Array]) -> bool:
    """Whether cuDNN takes a call: it is there, and JAX knows its version. JAX's call takes float32
    alone.

    Args:
        inputs, weights, states: as `by_cudnn` has them.
    """
    if inputs.dtype != jnp.float32 or 0 in inputs.shape:
        return False
    try:
        jax.eval_shape(_called, inputs, *weights, *states)
    except (AttributeError, ImportError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return False
    return True


def by_cudnn(
    inputs: jax.Array, weights: Arrays, states: list[jax.Array], valid: None
) -> tuple[jax.Array, list[jax.Array]]:
    """(h after each step, the last h and c).

    Args:
        inputs: (time, batch, features).
        weights: the kernel (features, 4 * units), the recurrent kernel (units, 4 * units), and the
            bias (4 * units).
        states: the first h and c, (batch, units) each.
        valid: all steps count.
    """
    del valid
    y, lasts = with_derivatives_of(_slowly, _called)(inputs, *weights, *states)
    return y, list(lasts)


def _called(
    inputs: jax.Array,
    kernel: jax.Array,
    recurrent_kernel: jax.Array,
    bias: jax.Array,
    h: jax.Array,
    c: jax.Array,
) -> tuple[jax.Array, Arrays]:
    from jax.experimental import rnn

    time, batch, features = inputs.shape
    # cuDNN adds a bias to each of the two products; its gates are in the order of Keras's
    parts = kernel.T, recurrent_kernel.T, bias, jnp.zeros_like(bias)
    y, last_h, last_c = rnn.lstm(
        jnp.swapaxes(inputs, 0, 1),
        h[None],
        c[None],
        jnp.concatenate([part.reshape(-1) for part in parts]),
        jnp.full(batch, time, jnp.int32),
        input_size=features,
        hidden_size=h.shape[-1],
        num_layers=1,
        dropout=0.0,
        bidirectional=False,
    )
    return jnp.swapaxes(y, 0, 1), (last_h[0], last_c[0])


def _slowly(inputs: jax.Array, kernel: jax.Array, *others: jax.Array) -> tuple[jax.Array, Arrays]:
    return by_xla(LSTM, inputs @ kernel, *others, valid=None)
