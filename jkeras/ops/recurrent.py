"""The loop of recurrent layers: one pure step over a time axis, with masks."""

from __future__ import annotations

import functools
import typing

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jkeras.ops.kernels import for_onnx, inside_loop, on_cpu
from jkeras.ops.recurrent_fused import Fused, run_fused
from jkeras.ops.recurrent_split import Split, pays_split, run_split
from jkeras.core.weights.types import Function, Structure
from jkeras.kernel.scope import is_abstract


class Step(typing.NamedTuple):
    """A step as pure functions, its weights and dropout masks inside.

    Attributes:
        project: `x -> z`, the part of the step that does not need the states; None: there is none.
        advance: `(z, states, t) -> (output, new states)` for step number t.
        hoist: whether `project` runs once on all steps before the loop. One large matmul suits
            accelerators; on a CPU the small one inside the loop is faster, since its result stays
            in the cache. None: as the platform likes it.
        split: the same step in two parts (`recurrent_split.Split`), whose gradients are faster on
            CPU; None: there is no such form.
        gives_state: whether the output is the state that stands for it, the first one.
        fused: the same loop as a kernel may have it (`recurrent_fused.Fused`); None: none has.
    """

    project: typing.Callable | None
    advance: typing.Callable
    hoist: bool | None = None
    split: Split | None = None
    gives_state: bool = False
    fused: Fused | None = None


class Way(typing.NamedTuple):
    """How steps are gone through.

    Attributes:
        go_backwards: begin at the end; the outputs are in the order in which they were computed.
        unroll: a Python loop; before the first step that is not masked its outputs are zero.
        zero_output_for_mask: zeros as the outputs of masked steps; not with `unroll`.
        fused: whether a kernel may run the loop: "auto", where one can; True: one has to.
        layer: is named in errors.
    """

    go_backwards: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False
    fused: bool | str = False
    layer: typing.Any = None


FORWARD = Way()


def scan(
    step: Step,
    inputs: jax.Array,
    states: Structure,
    mask: jax.Array | None = None,
    way: Way = FORWARD,
    watch: typing.Any = None,
) -> tuple[jax.Array, Structure]:
    """Runs a step along the leading axis: (time, batch, ...) -> outputs (time, batch, ...), last
    states.

    A masked step keeps the states. Its output is the one before it, for which the first state
    stands (of stacked cells that of the last cell), or zero.

    Args:
        states: structure of arrays; the new states have the same leaves in the same order.
        mask: (time, batch) or (time, batch, features); False masks, where it is False for all
            features.
        watch: looks at the states after each step and may change them, see
            `core.run.tap_loops.Steps`; None: nobody does.

    Raises:
        ValueError: a kernel has to run the loop, and none takes it.

    >>> step = Step(None, lambda x, s, t: (x + s, x + s))
    >>> outputs, last = scan(step, jnp.arange(4.0)[:, None], jnp.zeros(1))
    >>> outputs[:, 0].tolist()
    [0.0, 1.0, 3.0, 6.0]
    """
    valid = None if mask is None else _valid_steps(mask)
    if step.fused is not None and watch is None:
        found = _by_kernel(step, inputs, states, valid, way)
        if found is not None:
            return found
    if way.fused is True:
        _check_demand(way.layer)
    return _by_xla(step, inputs, states, valid, way, watch)


def _check_demand(layer: typing.Any) -> None:
    """Raises ValueError where a layer's loop has to be a kernel, as could be."""
    if layer.has_cudnn and not is_abstract():
        raise ValueError(
            f"LSTM {layer.name!r}: expected a loop that cuDNN takes: on an NVIDIA GPU, in float32, "
            "with tanh, sigmoid and a bias, without a mask, `unroll` and `recurrent_dropout`. "
            'Received: use_cudnn=True. Give `use_cudnn="auto"`, which takes cuDNN where it can.'
        )


def _by_xla(
    step: Step,
    inputs: jax.Array,
    states: Structure,
    valid: jax.Array | None,
    way: Way,
    watch: typing.Any,
) -> tuple[jax.Array, Structure]:
    """`scan` as XLA compiles it."""
    project, advance, hoist, split, *_ = step
    if watch is not None:
        watch.begin(jax.tree_util.tree_leaves(inputs)[0].shape[0])
        split = None
    if split is not None and not way.unroll and pays_split(split, inputs, states):
        loop = functools.partial(_loop, way=way)
        return run_split(split, loop, inputs, states, valid)
    if hoist is None:
        hoist = not on_cpu()
    if project is not None and hoist:
        inputs = project(inputs)
    elif project is not None:
        advance = _with_projection(advance, project)
    if way.unroll:
        return _unrolled(advance, inputs, states, valid, way.go_backwards, watch)
    return _loop(advance, inputs, states, valid, way, watch=watch)


def _by_kernel(
    step: Step, inputs: jax.Array, states: Structure, valid: jax.Array | None, way: Way
) -> tuple[jax.Array, Structure] | None:
    """`scan` as a kernel, None where none takes it."""
    if way.unroll or not way.fused:
        return None
    if way.go_backwards:
        inputs, valid = jax.tree_util.tree_map(lambda v: v[::-1], (inputs, valid))
    found = run_fused(step.fused, step.project, inputs, states, valid)
    if found is None or valid is None or not way.zero_output_for_mask:
        return found
    outputs, states = found
    return jnp.where(valid[..., None], outputs, 0), states


def _loop(
    step: Function,
    inputs: jax.Array,
    states: Structure,
    valid: jax.Array | None,
    way: Way,
    record: bool = False,
    watch: typing.Any = None,
) -> tuple[Structure, Structure]:
    """`scan` as a compiled loop; with `record` the outputs are a pair: those of the step, and the
    first states before each step, in the order of the inputs.
    """
    go_backwards = way.go_backwards
    step = _checked(step) if watch is None else _watched(step, watch)

    def masked_output(states: Structure, y: jax.Array) -> jax.Array:
        if way.zero_output_for_mask:
            return jnp.zeros_like(y)
        return _previous(states, y)

    def body(states: Structure, now: Structure) -> tuple[Structure, Structure]:
        x, keep, t = now
        y, new = step(x, states, t)
        if keep is not None:
            y = _where(keep, y, masked_output(states, y))
            new = _where_leaves(keep, new, states)
        return new, (y, states[0] if record else None, None if watch is None else new)

    if go_backwards and for_onnx():
        inputs, valid = jax.tree_util.tree_map(lambda v: v[::-1], (inputs, valid))
        go_backwards = False
    times = jnp.arange(jax.tree_util.tree_leaves(inputs)[0].shape[0])
    if go_backwards:
        times = times[::-1]
    states, (outputs, before, after) = lax.scan(
        inside_loop(body), states, (inputs, valid, times), reverse=go_backwards
    )
    if go_backwards:
        outputs, after = jax.tree_util.tree_map(lambda v: v[::-1], (outputs, after))
    if watch is not None:
        watch.keep(after)
    return (outputs, before) if record else outputs, states


def _unrolled(
    step: Function,
    inputs: jax.Array,
    states: Structure,
    mask: jax.Array | None,
    go_backwards: bool,
    watch: typing.Any = None,
) -> tuple[jax.Array, Structure]:
    step = _checked(step) if watch is None else _watched(step, watch)
    order = list(range(inputs.shape[0]))
    if go_backwards:
        order.reverse()
    outputs, after = [], []
    for t, i in enumerate(order):
        y, new = step(inputs[i], states, t)
        if mask is not None and outputs:
            y = _where(mask[i], y, outputs[-1])
        elif mask is not None:
            y = _where(mask[i], y, jnp.zeros_like(y))
        if mask is not None:
            new = _where_leaves(mask[i], new, states)
        states = new
        outputs.append(y)
        after.append(states)
    if watch is not None:
        watch.keep(jax.tree_util.tree_map(lambda *each: jnp.stack(each), *after))
    return jnp.stack(outputs), states


def _watched(step: Function, watch: typing.Any) -> Function:
    """The step as `_checked` has it, whose states somebody may change from outside; an output that
    is one of the states follows it.
    """

    def watched(x: jax.Array, states: Structure, t: jax.Array) -> tuple[jax.Array, Structure]:
        follows = [watch.gives_state]

        def noting(*now: typing.Any) -> tuple[jax.Array, Structure]:
            y, new = step(*now)
            follows.append(y is jax.tree_util.tree_leaves(new)[0])
            return y, new

        y, new = _checked(noting)(x, states, t)
        changed = watch.at_step(new, t)
        if changed is not new and any(follows):
            y = _previous(changed, y)
        return y, changed

    return watched


def _with_projection(step: Function, project: Function) -> Function:
    """The step with the projection of its inputs in it."""

    def projecting_step(
        x: jax.Array, states: Structure, t: jax.Array
    ) -> tuple[jax.Array, Structure]:
        return step(project(x), states, t)

    return projecting_step


def _valid_steps(mask: jax.Array) -> jax.Array:
    """(time, batch): which steps count."""
    mask = jnp.asarray(mask).astype(bool)
    return mask.any(axis=tuple(range(2, mask.ndim)))


def _where(keep: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    return jnp.where(keep.reshape(keep.shape + (1,) * (new.ndim - 1)), new, old)


def _where_leaves(keep: jax.Array, new: Structure, old: Structure) -> Structure:
    return jax.tree_util.tree_map(functools.partial(_where, keep), new, old)


def _previous(states: Structure, y: jax.Array) -> jax.Array:
    """The state that stands for the output before this one."""
    if isinstance(states, (list, tuple)) and isinstance(states[0], (list, tuple)):
        states = states[-1]
    return jax.tree_util.tree_leaves(states)[0].astype(y.dtype)


def _checked(step: Function) -> Function:
    """The step with its new states in the structure and the dtypes of the old ones, as a loop
    demands.
    """

    def checked(x: jax.Array, states: Structure, t: jax.Array) -> tuple[jax.Array, Structure]:
        y, new = step(x, states, t)
        old, treedef = jax.tree_util.tree_flatten(states)
        new = jax.tree_util.tree_leaves(new)
        expected, received = list(map(np.shape, old)), list(map(np.shape, new))
        if received != expected:
            raise ValueError(
                "A recurrent cell must return new states like those it was given. Expected "
                f"shapes {expected}; received {received}. Check the cell's `state_size` and the "
                "states that its `call` returns."
            )
        for i, b in enumerate(old):
            new[i] = new[i].astype(b.dtype)
        return y, jax.tree_util.tree_unflatten(treedef, new)

    return checked
