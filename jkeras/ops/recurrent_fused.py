"""Loops of LSTM and GRU as one fused kernel: of Pallas on TPUs, of cuDNN on NVIDIA's GPUs."""

from __future__ import annotations

import typing
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from jkeras.core.weights.types import Function, Structure
from jkeras.kernel.scope import is_abstract
from jkeras.ops import recurrent_cudnn, recurrent_kernels
from jkeras.ops.kernels import is_interpreted, is_static, on_nvidia_gpu, on_tpu
from jkeras.ops.mesh_axes import (
    batch_axes,
    cutting,
    free_axes,
    is_one_program,
    manual_axes,
    size_of,
)

Found = tuple[jax.Array, list[jax.Array]]


class Fused(typing.NamedTuple):
    """What a fused kernel needs of a cell with sigmoids as gates and tanh elsewhere, and without
    dropout of its states.

    Attributes:
        cell: `recurrent_kernels.Cell`.
        recurrent_kernel: (units, gates * units).
        bias: what the product with it gets added, (gates * units); None: nothing.
        kernel: that of the inputs, (features, gates * units).
        drop: gives the inputs of all steps after dropout; None: that has several masks.
    """

    cell: recurrent_kernels.Cell
    recurrent_kernel: jax.Array
    bias: jax.Array | None
    kernel: jax.Array
    drop: Callable | None


def run_fused(
    fused: Fused,
    project: Function,
    inputs: jax.Array,
    states: list[jax.Array],
    valid: jax.Array | None,
) -> Found | None:
    """The first states after each step (time, batch, units) and the last states; None where no
    kernel takes it.

    Args:
        project: gives what the step needs of its inputs, of all steps at once.
        valid: (time, batch), whether a step counts; None: all.
    """
    if is_abstract() or not is_static(inputs.shape):
        return None
    if on_tpu():
        return _by_pallas(fused, project, inputs, states, valid)
    if on_nvidia_gpu() and valid is None:
        return _by_cudnn(fused, inputs, states)
    return None


def _by_cudnn(fused: Fused, inputs: jax.Array, states: list[jax.Array]) -> Found | None:
    if fused.cell is not recurrent_kernels.LSTM:
        return None
    if fused.bias is None or fused.drop is None:
        return None
    given = fused.drop(inputs), (fused.kernel, fused.recurrent_kernel, fused.bias), states
    if not recurrent_cudnn.takes(*given):
        return None
    return _of_all_devices(recurrent_cudnn.by_cudnn, *given, None)


def _by_pallas(
    fused: Fused,
    project: Function,
    inputs: jax.Array,
    states: list[jax.Array],
    valid: jax.Array | None,
) -> Found | None:
    cell, kernel = fused.cell, fused.recurrent_kernel
    bias = jnp.zeros(kernel.shape[1], kernel.dtype) if fused.bias is None else fused.bias
    units = kernel.shape[0]
    if kernel.dtype not in (jnp.float32, jnp.bfloat16):
        return None
    wide = units + -units % recurrent_kernels.HALF
    shape = (inputs.shape[0], _rows_of_device(inputs.shape[1]), cell.gates * wide)
    loop = recurrent_kernels.loop_for(cell, shape, kernel.dtype, is_interpreted())
    if loop is None:
        return None

    def local(z: jax.Array, weights: Structure, states: Structure, valid: Structure) -> Found:
        padded = [_padded(x, cell.gates, units, wide) for x in (z, *weights)]
        padded[1] = jnp.pad(padded[1], ((0, wide - units), (0, 0)))
        firsts = tuple(_padded(state, 1, units, wide) for state in states)
        y, lasts = recurrent_kernels.run(loop, *padded, firsts, valid)
        return y[..., :units], [last[..., :units] for last in lasts]

    return _of_all_devices(local, project(inputs), (kernel, bias), states, valid)


def _padded(x: jax.Array, blocks: int, units: int, wide: int) -> jax.Array:
    """Blocks of units side by side, each with zeros after them: such a unit stays zero."""
    if units == wide:
        return x
    apart = x.reshape(*x.shape[:-1], blocks, units)
    added = [(0, 0)] * (apart.ndim - 1) + [(0, wide - units)]
    return jnp.pad(apart, added).reshape(*x.shape[:-1], blocks * wide)


# ---------------------------------------------------------------- several devices


def _of_all_devices(
    local: Function,
    steps: jax.Array,
    weights: tuple[jax.Array, ...],
    states: list[jax.Array],
    valid: jax.Array | None,
) -> Found | None:
    """What a kernel gives, on each device for its rows of the batch: the compiler cannot cut what
    it does not see into. None where it cannot be told which devices there are.
    """
    mesh, rows = _cut(steps.shape[1])
    if is_one_program(mesh):
        return local(steps, weights, list(states), valid)
    if mesh is None:
        return None
    of_steps, of_rows = PartitionSpec(None, rows or None), PartitionSpec(rows or None)
    return jax.shard_map(
        local,
        mesh=None if manual_axes() else mesh,
        in_specs=(of_steps, PartitionSpec(), of_rows, of_steps),
        out_specs=(of_steps, of_rows),
        axis_names=set(free_axes(mesh)),
        check_vma=False,
    )(steps, weights, list(states), valid)


def _cut(batch: int) -> tuple[jax.sharding.Mesh | None, tuple[str, ...]]:
    """(mesh, axes that cut the batch)."""
    mesh, names = batch_axes((batch, 1))
    if mesh is None:
        return None, ()
    return mesh, cutting(mesh, names, batch)


def _rows_of_device(batch: int) -> int:
    """How many rows of a batch a device has."""
    mesh, rows = _cut(batch)
    return batch // size_of(mesh, rows)
