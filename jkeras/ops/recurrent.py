"""The loop of recurrent layers: one pure step over a time axis, with masks."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras.ops.kernels import for_onnx, inside_loop, on_cpu


def scan(
    step,
    inputs,
    states,
    *,
    project=None,
    mask=None,
    go_backwards=False,
    unroll=False,
    zero_output_for_mask=False,
    hoist=None,
):
    """Runs `step` along the leading axis: (time, batch, ...) -> outputs (time, batch, ...), last
    states.

    A masked step keeps the states. Its output is the one before it, for which the first state
    stands (of stacked cells that of the last cell), or zero.

    Args:
        step: `(z, states, t) -> (output, new states)`, where z is `project(x)` of one step and t
            counts the steps.
        states: structure of arrays; the new states have the same leaves in the same order.
        project: the part of the step that does not need the states.
        mask: (time, batch) or (time, batch, features); False masks, where it is False for all
            features.
        go_backwards: begin at the end; the outputs are in the order in which they were computed.
        unroll: a Python loop; before the first step that is not masked its outputs are zero.
        zero_output_for_mask: zeros as the outputs of masked steps; not with `unroll`.
        hoist: whether `project` runs once on all steps before the loop. One large matmul suits
            accelerators; on a CPU the small one inside the loop is faster, since its result stays
            in the cache. By default by platform.

    >>> outputs, last = scan(lambda x, s, t: (x + s, x + s), jnp.arange(4.0)[:, None], jnp.zeros(1))
    >>> outputs[:, 0].tolist()
    [0.0, 1.0, 3.0, 6.0]
    """
    kept = None if mask is None else _kept(mask)
    if project is not None:
        if not on_cpu() if hoist is None else hoist:
            inputs = project(inputs)
        else:
            inner = step
            step = lambda x, states, t: inner(project(x), states, t)  # noqa: E731
    step = _checked(step)
    if unroll:
        return _unrolled(step, inputs, states, kept, go_backwards)

    def body(states, now):
        x, keep, t = now
        y, new = step(x, states, t)
        if keep is not None:
            y = _where(keep, y, jnp.zeros_like(y) if zero_output_for_mask else _previous(states, y))
            new = jax.tree_util.tree_map(lambda a, b: _where(keep, a, b), new, states)
        return new, y

    if go_backwards and for_onnx():
        inputs, kept = jax.tree_util.tree_map(lambda v: v[::-1], (inputs, kept))
        go_backwards = False
    times = jnp.arange(inputs.shape[0])
    if go_backwards:
        times = times[::-1]
    states, outputs = lax.scan(
        inside_loop(body), states, (inputs, kept, times), reverse=go_backwards
    )
    return (outputs[::-1] if go_backwards else outputs), states


def _unrolled(step, inputs, states, kept, go_backwards):
    count = inputs.shape[0]
    outputs = []
    for t, i in enumerate(reversed(range(count)) if go_backwards else range(count)):
        y, new = step(inputs[i], states, t)
        if kept is not None:
            y = _where(kept[i], y, outputs[-1] if outputs else jnp.zeros_like(y))
            new = jax.tree_util.tree_map(lambda a, b: _where(kept[i], a, b), new, states)  # noqa: B023
        states = new
        outputs.append(y)
    return jnp.stack(outputs), states


def _kept(mask):
    mask = jnp.asarray(mask).astype(bool)
    return mask.any(axis=tuple(range(2, mask.ndim)))  # (time, batch)


def _where(keep, new, old):
    return jnp.where(keep.reshape(keep.shape + (1,) * (new.ndim - 1)), new, old)


def _previous(states, y):
    """The state that stands for the output before this one."""
    leaves = (
        states[-1]
        if isinstance(states, (list, tuple)) and isinstance(states[0], (list, tuple))
        else states
    )
    return jax.tree_util.tree_leaves(leaves)[0].astype(y.dtype)


def _checked(step):
    """The step with its new states in the structure and the dtypes of the old ones, as a loop
    demands.
    """

    def checked(x, states, t):
        y, new = step(x, states, t)
        old, treedef = jax.tree_util.tree_flatten(states)
        new = jax.tree_util.tree_leaves(new)
        expected, received = [np.shape(b) for b in old], [np.shape(a) for a in new]
        if received != expected:
            raise ValueError(
                "A recurrent cell must return new states like those it was given. Expected "
                f"shapes {expected}; received {received}. Check the cell's `state_size` and the "
                "states that its `call` returns."
            )
        return y, jax.tree_util.tree_unflatten(
            treedef, [a.astype(b.dtype) for a, b in zip(new, old)]
        )

    return checked
