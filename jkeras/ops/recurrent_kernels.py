"""The loops of LSTM and GRU as kernels for TPUs, which hold the recurrent kernel and the states in
the memory of the core for all steps. XLA's loop brings the kernel there in each step.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.weights.types import Structure
from jkeras.ops.kernels import LANES
from jkeras.ops.second_order import with_derivatives_of

HALF = 64  # of the lanes: units are padded to a multiple
SCOPED = 12 * 2**20  # bytes of the core's memory that a kernel takes; the compiler offers 16 MiB
TILE = 16  # rows of bfloat16
MOST_STEPS = 8  # of a block

Arrays = tuple[jax.Array, ...]


class Cell(typing.NamedTuple):
    """What a cell computes of one step, in float32.

    Attributes:
        gates: blocks of `units` side by side in the recurrent kernel.
        states: how many there are. The one that is saved for the gradient is the last.
        advance: `(z, inner, states) -> (saved, new states)`: z of the input and inner of the first
            state are (rows, gates * units), saved is (rows, 4 * units).
        retreat: `(saved, last state before, gradients of the new states) -> (gradients, gradients
            of inner, gradients of the states but for inner)`; the first are (rows, 4 * units).
        apart: `gradients -> (those of z, those of inner)`, of all steps.
    """

    gates: int
    states: int
    advance: Callable
    retreat: Callable
    apart: Callable


# ---------------------------------------------------------------- the cells


def _lstm(z: jax.Array, inner: jax.Array, states: Arrays) -> tuple[jax.Array, Arrays]:
    i, f, g, o = jnp.split(z + inner, 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    c = f * states[1] + i * g
    return jnp.concatenate([i, f, g, o], axis=-1), (o * jnp.tanh(c), c)


def _lstm_back(
    saved: jax.Array, before: jax.Array, gradients: Arrays
) -> tuple[jax.Array, jax.Array, Arrays]:
    i, f, g, o = jnp.split(saved, 4, axis=-1)
    dh, dc = gradients
    t = jnp.tanh(f * before + i * g)
    dc = dc + dh * o * (1 - t * t)
    of_gates = [
        dc * g * i * (1 - i),
        dc * before * f * (1 - f),
        dc * i * (1 - g * g),
        dh * t * o * (1 - o),
    ]
    da = jnp.concatenate(of_gates, axis=-1)
    return da, da, (jnp.zeros_like(dh), dc * f)


def _gru(z: jax.Array, inner: jax.Array, states: Arrays) -> tuple[jax.Array, Arrays]:
    (h,) = states
    zu, zr, zc = jnp.split(z, 3, axis=-1)
    iu, ir, ic = jnp.split(inner, 3, axis=-1)
    u, r = jax.nn.sigmoid(zu + iu), jax.nn.sigmoid(zr + ir)
    candidate = jnp.tanh(zc + r * ic)
    new = u * h + (1 - u) * candidate
    return jnp.concatenate([u, r, candidate, ic], axis=-1), (new,)


def _gru_back(
    saved: jax.Array, before: jax.Array, gradients: Arrays
) -> tuple[jax.Array, jax.Array, Arrays]:
    u, r, candidate, ic = jnp.split(saved, 4, axis=-1)
    (dh,) = gradients
    dc = dh * (1 - u) * (1 - candidate * candidate)
    du = dh * (before - candidate) * u * (1 - u)
    dr = dc * ic * r * (1 - r)
    inner = jnp.concatenate([du, dr, dc * r], axis=-1)
    return jnp.concatenate([inner, dc], axis=-1), inner, (dh * u,)


def _gru_apart(found: jax.Array) -> tuple[jax.Array, jax.Array]:
    of_update, of_reset, of_inner, of_candidate = jnp.split(found, 4, axis=-1)
    of_z = jnp.concatenate([of_update, of_reset, of_candidate], axis=-1)
    return of_z, found[..., : -of_inner.shape[-1]]


LSTM = Cell(4, 2, _lstm, _lstm_back, lambda found: (found, found))
GRU = Cell(3, 1, _gru, _gru_back, _gru_apart)


# ---------------------------------------------------------------- the loop


class Loop(typing.NamedTuple):
    """How a loop runs.

    Attributes:
        cell: `Cell`.
        steps, rows: of a block.
        rounds: whether products take bfloat16 in place of float32, as XLA's do on a TPU.
        interpret: in the interpreter of Pallas, which runs anywhere.
    """

    cell: Cell
    steps: int
    rows: int
    rounds: bool
    interpret: bool


def loop_for(cell: Cell, shape: tuple[int, ...], dtype: Any, interpret: bool) -> Loop | None:
    """How a cell runs over z of a shape (time, batch, gates * units) with a recurrent kernel of a
    dtype; None where its blocks are too large for the memory of the core.
    """
    time, batch, width = shape
    if 0 in shape:
        return None
    rounds = not interpret and jax.config.jax_default_matmul_precision in (None, "default")
    units, size = width // cell.gates, jnp.dtype(dtype).itemsize
    of_kernel = units * width * (2 if rounds else size)
    for rows in filter(functools.partial(_cuts, batch), range(batch, 0, -1)):
        # twice, since the next block comes while one is computed: z, what is saved, states,
        # gradients; and what is carried, in float32
        of_step = 2 * rows * (width + 8 * units + LANES) * size
        left = SCOPED - of_kernel - 8 * rows * 4 * units * 4
        if left >= of_step:
            most = min(time, MOST_STEPS, left // of_step)
            steps = next(n for n in range(most, 0, -1) if time % n == 0)
            return Loop(cell, steps, rows, rounds, interpret)
    return None


def _cuts(batch: int, rows: int) -> bool:
    """Whether blocks of so many rows are whole tiles of the batch, or all of it."""
    return rows == batch or batch % rows == rows % TILE == 0


def run(
    loop: Loop,
    z: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    firsts: Sequence[jax.Array],
    valid: jax.Array | None,
) -> tuple[jax.Array, Arrays]:
    """A cell over all steps: (the first state after each (time, batch, units), the last states).

    Its gradient is a kernel as well. A second derivative is that of XLA's loop; forward mode is not
    offered.

    Args:
        z: (time, batch, gates * units), of the inputs.
        kernel, bias: the recurrent kernel (units, gates * units), and what its product gets added
            (gates * units).
        firsts: the states before the first step, (batch, units) each.
        valid: (time, batch), whether a step counts; None: all.
    """
    slow = functools.partial(by_xla, loop.cell)
    fast = functools.partial(_by_kernel, loop)
    return with_derivatives_of(slow, fast)(z, kernel, bias, *firsts, valid=valid)


def by_xla(
    cell: Cell,
    z: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    *firsts: jax.Array,
    valid: jax.Array | None,
) -> tuple[jax.Array, Arrays]:
    """`run` as a loop of XLA."""

    def body(states: Arrays, now: Structure) -> tuple[Arrays, jax.Array]:
        z, keep = now
        new = _step(cell, z, kernel, bias, states, keep)[1]
        new = tuple(a.astype(b.dtype) for a, b in zip(new, states))
        return new, new[0]

    keep = None if valid is None else valid[..., None]
    lasts, outputs = jax.lax.scan(body, firsts, (z, keep))
    return outputs, lasts


def _step(
    cell: Cell,
    z: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    states: Arrays,
    keep: jax.Array | None,
) -> tuple[jax.Array, Arrays]:
    """What is saved of a step, and the new states, in float32."""
    inner = _product(states[0], kernel) + bias.astype("float32")
    wide = tuple(state.astype("float32") for state in states)
    saved, new = cell.advance(z.astype("float32"), inner, wide)
    if keep is None:
        return saved, new
    return saved, tuple(jnp.where(keep, a, b) for a, b in zip(new, wide))


def _product(x: jax.Array, kernel: jax.Array, axis: int = 0) -> jax.Array:
    """x times a kernel along an axis of it, in float32."""
    dimensions = (((1,), (axis,)), ((), ()))
    return jax.lax.dot_general(
        x.astype(kernel.dtype), kernel, dimensions, preferred_element_type=jnp.float32
    )


# ---------------------------------------------------------------- the kernels


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_run(
    loop: Loop, z: jax.Array, kernel: jax.Array, bias: jax.Array, firsts: Arrays, valid: Any
) -> tuple[jax.Array, Arrays]:
    results, lasts = _forwards(loop, z, kernel, bias, firsts, valid, records=False)
    return results["y"], lasts


def _by_kernel(
    loop: Loop,
    z: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    *firsts: jax.Array,
    valid: jax.Array | None,
) -> tuple[jax.Array, Arrays]:
    if valid is not None:
        valid = valid[..., None].astype("float32")
    return _kernel_run(loop, z, kernel, bias, firsts, valid)


def _run_forwards(
    loop: Loop, z: jax.Array, kernel: jax.Array, bias: jax.Array, firsts: Arrays, valid: Any
) -> Structure:
    results, lasts = _forwards(loop, z, kernel, bias, firsts, valid, records=True)
    return (results["y"], lasts), (results, kernel, bias, firsts, valid)


def _run_backwards(loop: Loop, residuals: Structure, cotangents: Structure) -> Structure:
    (results, kernel, bias, firsts, valid), (of_y, of_lasts) = residuals, cotangents
    y, steps = results["y"], (results["saved"], results["before"], of_y, valid)
    found, of_firsts = _backwards(loop, steps, kernel, of_lasts)
    of_z, of_inner = loop.cell.apart(found)
    # two products in place of one: the states before the steps are never put together
    of_kernel = _outer(y[:-1], of_inner[1:]) + _outer(firsts[0][None], of_inner[:1])
    of_bias = jnp.sum(of_inner, (0, 1), dtype="float32").astype(bias.dtype)
    return of_z, of_kernel.astype(kernel.dtype), of_bias, of_firsts, None


def _outer(h: jax.Array, gradients: jax.Array) -> jax.Array:
    """The gradient of a kernel: all steps and rows at once."""
    return jnp.einsum("tbu,tbg->ug", h, gradients, preferred_element_type=jnp.float32)


_kernel_run.defvjp(_run_forwards, _run_backwards)


# ---------------------------------------------------------------- Pallas


def _called(
    loop: Loop,
    kernel: Callable,
    steps: Structure,
    constants: Arrays,
    states: Arrays,
    results: Structure,
    is_reversed: bool = False,
) -> tuple[Structure, Arrays]:
    """A kernel over blocks of rows, and inside of these over blocks of steps: (results of all
    steps, last states).

    Args:
        kernel: takes references to a block of the steps, to the constants, to the first states, to
            blocks of the results and of the last states, and to the states that are carried.
        steps: arrays (time, batch, features).
        results: their shapes and dtypes.
    """
    from jax.experimental import pallas
    from jax.experimental.pallas import tpu

    time, batch = jax.tree_util.tree_leaves(steps)[0].shape[:2]
    last, units = time // loop.steps - 1, states[0].shape[-1]

    def of_steps(x: Any) -> Any:
        block = (loop.steps, loop.rows, x.shape[-1])
        if is_reversed:
            return pallas.BlockSpec(block, lambda b, t: (last - t, b, 0))
        return pallas.BlockSpec(block, lambda b, t: (t, b, 0))

    of_state = pallas.BlockSpec((loop.rows, units), lambda b, t: (b, 0))
    whole = pallas.BlockSpec(memory_space=tpu.VMEM)
    over = jax.tree_util.tree_map
    return pallas.pallas_call(
        kernel,
        grid=(batch // loop.rows, last + 1),
        in_specs=(over(of_steps, steps), (whole,) * len(constants), (of_state,) * len(states)),
        out_specs=(over(of_steps, results), (of_state,) * len(states)),
        out_shape=(results, over(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), states)),
        scratch_shapes=[(tpu.VMEM((loop.rows, units), jnp.float32),) * len(states)],
        compiler_params=tpu.CompilerParams(dimension_semantics=("parallel", "arbitrary")),
        interpret=loop.interpret,
    )(steps, constants, states)


def _carries(carried: Arrays, firsts: Arrays) -> None:
    """Begins with the first states at the first block of steps."""
    from jax.experimental import pallas

    @pallas.when(pallas.program_id(1) == 0)
    def _() -> None:
        _assign(carried, [first[...] for first in firsts])


def _assign(references: Sequence[Any], values: Sequence[jax.Array]) -> None:
    for reference, value in zip(references, values):
        reference[...] = value.astype(reference.dtype)


def _matrix(loop: Loop, kernel: jax.Array) -> jax.Array:
    """The recurrent kernel as its products take it: XLA rounds float32 so on a TPU."""
    return kernel.astype("bfloat16") if loop.rounds else kernel


def _forwards(
    loop: Loop,
    z: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    firsts: Arrays,
    valid: jax.Array | None,
    records: bool,
) -> tuple[Structure, Arrays]:
    """(results of all steps, last states). The results are the first states after each as "y", and
    where it `records` them, what is "saved" of each, and the last states "before" each.
    """
    (time, batch, _), units = z.shape, kernel.shape[0]
    of_time = functools.partial(jax.ShapeDtypeStruct, dtype=firsts[0].dtype)
    results = {"y": of_time((time, batch, units))}
    if records:
        results |= {"before": results["y"], "saved": of_time((time, batch, 4 * units))}

    def body(
        steps: Structure,
        constants: Arrays,
        firsts: Arrays,
        out: Structure,
        lasts: Any,
        carried: Any,
    ) -> None:
        z, valid = steps
        _carries(carried, firsts)

        def step(k: jax.Array, _: None) -> None:
            states = tuple(reference[...] for reference in carried)
            keep = None if valid is None else valid[k] > 0
            saved, new = _step(loop.cell, z[k], *(c[...] for c in constants), states, keep)
            found = {"y": new[0], "before": states[-1], "saved": saved}
            for name, reference in out.items():
                reference[k] = found[name].astype(reference.dtype)
            _assign(carried, new)

        jax.lax.fori_loop(0, loop.steps, step, None)
        _assign(lasts, [reference[...] for reference in carried])

    constants = _matrix(loop, kernel), bias[None]
    return _called(loop, body, (z, valid), constants, firsts, results)


def _backwards(
    loop: Loop,
    steps: Structure,
    kernel: jax.Array,
    of_lasts: Arrays,
) -> tuple[jax.Array, Arrays]:
    """(the gradients of what is saved of each step, those of the first states).

    Args:
        steps: what is saved of each, the last states before each, the gradients of the first states
            after each, and whether it counts, or None.
        of_lasts: the gradients of the last states.
    """

    def body(
        steps: Structure, constants: Arrays, lasts: Arrays, found: Any, firsts: Any, carried: Any
    ) -> None:
        saved, before, of_y, valid = steps
        _carries(carried, lasts)

        def step(i: jax.Array, _: None) -> None:
            k = loop.steps - 1 - i
            dh, *others = (reference[...] for reference in carried)
            after = (dh + of_y[k].astype("float32"), *others)
            wide = (reference[k].astype("float32") for reference in (saved, before))
            gradients, of_inner, (of_h, *of_others) = loop.cell.retreat(*wide, after)
            of_h = of_h + _product(of_inner, constants[0][...], axis=1)
            states = (of_h, *of_others)
            if valid is not None:
                keep = valid[k] > 0
                gradients = jnp.where(keep, gradients, 0)
                states = [jnp.where(keep, a, b) for a, b in zip(states, after)]
            found[k] = gradients.astype(found.dtype)
            _assign(carried, states)

        jax.lax.fori_loop(0, loop.steps, step, None)
        _assign(firsts, [reference[...] for reference in carried])

    saved = steps[0]
    found = jax.ShapeDtypeStruct(saved.shape, saved.dtype)
    return _called(loop, body, steps, (_matrix(loop, kernel),), of_lasts, found, is_reversed=True)
