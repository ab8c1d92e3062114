"""Conditions that compiled programs look at while they run: an error, or a debugger, where one
holds.

A condition is looked at on the device; the host is called only where it holds.
"""

import sys
import typing
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import StepError, explain, place_of
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.names.registry import public
from jkeras.kernel import in_force
from jkeras.kernel.microbatch import current_microbatch
from jkeras.kernel.scope import Flow, current_flow
from jkeras.training.loop.careful import MOST_ROWS, rows_in_words
from jkeras.training.loop.program import MAY_TRACE, Program

Structure = typing.TypeVar("Structure")
OUTSIDE = "error_if"  # what a message begins with where no layer runs


@public("jkeras.debug.ConditionError")
class ConditionError(StepError, RuntimeError):
    """The condition of an `error_if` held.

    Attributes:
        where: the layer in words; "error_if" outside of layers.
        reason: the message of the `error_if`.
        rows: the numbers along the first axis of the condition at which it held; () where it has no
            axis.
        count: the size of that axis.

    Args:
        held: the condition, with the axes that `vmap` goes over first.
        mapped: how many these are.
        of: what the rows are rows of, beside a number.

    >>> error_if(jnp.ones(3), jnp.array([False, True, False]), "too large")
    Traceback (most recent call last):
    jkeras.debug.checks.ConditionError: error_if: too large (row 1 of 3)
    """

    def __init__(
        self, where: str, reason: str, held: np.ndarray, mapped: int = 0, of: str = ""
    ) -> None:
        self.where, self.reason = where, reason
        self.rows, self.count = (), 0
        found = np.argwhere(held)
        axis = min(mapped, max(held.ndim - 1, 0))  # that of `jax.vmap`, where there is no other
        if held.ndim:
            self.rows = tuple(np.unique(found[:, axis]).tolist())
            self.count = held.shape[axis]
        places = np.unique(found[:, :axis], axis=0).tolist() if axis else []
        super().__init__(f"{where}: {reason}{_in_words(self.rows, f'{self.count}{of}', places)}")


def _in_words(rows: tuple[int, ...], count: str, places: list) -> str:
    """Where a condition held, in words.

    >>> _in_words((1, 4), "8", []), _in_words((), "0", [])
    (' (rows 1, 4 of 8)', '')
    """
    if not rows:
        return ""
    text = f"{rows_in_words(rows)} of {count}"
    if places:
        of_all = ", ".join(str(tuple(place)) for place in places[:MOST_ROWS])
        text += f", at {of_all} of what `vmap` goes over"
    return f" ({text})"


# ---------------------------------------------------------------- public


@public("jkeras.debug.error_if")
def error_if(x: Structure, condition: Any, message: str) -> Structure:
    """Returns `x`, and raises where a condition holds: at once where its value is known, and while
    the program runs where it is compiled, also in `jax.jit`, `vmap`, `grad`, `scan` and `cond`.

    In `fit`, `evaluate`, `train_on_batch` and `predict` the error comes from the method, with the
    layer, the step and the rows; the model holds what it was before the step. Elsewhere, as in a
    `jax.jit` of your own, JAX wraps the error in one of its own, when the result is waited for.

    A step with such a condition keeps the weights that it starts from, and is waited for. Without
    one nothing is done. Rows that fill up a batch are not looked at.

    Args:
        x: any pytree of arrays; it comes back as it is.
        condition: booleans of any shape; the first axis is that of the rows.
        message: what is wrong where it holds.

    Raises:
        ConditionError: it holds, `RuntimeError` as well.
        TypeError: `condition` is no boolean.
        ValueError: symbolic inputs, as of a functional model that is being made.

    >>> import jax
    >>> root = jax.jit(lambda x: jnp.sqrt(error_if(x, x < 0, "below 0")))
    >>> root(jnp.array([4.0, 9.0])).tolist()
    [2.0, 3.0]
    """
    condition, valid = _checked("error_if", x, condition)
    if condition is None:
        return x
    _look(condition & valid, _where(), str(message))
    return x


@public("jkeras.debug.breakpoint_if")
def breakpoint_if(condition: Any, *values: Any, **named: Any) -> None:
    """Opens Python's debugger where a condition holds, also in a compiled program: `values` and
    `named` are there as numpy arrays.

    It is `breakpoint()`, so `PYTHONBREAKPOINT` chooses the debugger. A program in which there is
    one waits at it; leaving the debugger by `q` ends the training as an error does.

    Args:
        condition: booleans of any shape; one is enough.
        values, named: pytrees of arrays to look at.

    Raises:
        TypeError: `condition` is no boolean.
        ValueError: symbolic inputs.

    >>> breakpoint_if(jnp.array(False), jnp.ones(3))
    """
    condition, valid = _checked("breakpoint_if", (values, named), condition)
    if condition is None:
        return
    program = None
    if isinstance(condition, jax.core.Tracer):
        program = _program()
    leaves, treedef = jax.tree_util.tree_flatten((values, named))

    def stop(held: Any, *arrays: Any) -> None:
        if not np.any(held):
            return
        values, named = treedef.unflatten(map(np.asarray, arrays))
        try:
            _at_breakpoint(values, named)
        except BaseException as error:
            if program is None:
                raise
            left = StepError(f"breakpoint_if: the debugger was left by {type(error).__name__}")
            left.__cause__ = error
            program.raised.append(left)

    _call_where(stop, condition & valid, leaves)


def _at_breakpoint(values: tuple, named: dict[str, Any]) -> None:
    """Where the debugger stops: `values` and `named` are what `breakpoint_if` was given."""
    sys.breakpointhook()


# ---------------------------------------------------------------- conditions


def _checked(name: str, x: Any, condition: Any) -> tuple[Any, Any]:
    """(the condition as an array, which of it count); the first is None where only shapes are
    looked for.
    """
    given = [condition, *jax.tree_util.tree_leaves(x)]
    if any(isinstance(leaf, KerasTensor) for leaf in given):
        fix = "write a layer, and use it in its `call`"
        raise ValueError(explain(name, "arrays", "symbolic inputs of a graph", fix))
    is_array = hasattr(condition, "dtype")
    dtype = condition.dtype if is_array else type(condition).__name__
    if str(dtype) != "bool":
        raise TypeError(
            explain(name, "a condition of booleans", dtype, "compare it, as in `x < 0`")
        )
    flow = current_flow()
    if flow is not None and any((flow.abstract, flow.declared is not None)):
        return None, True
    return condition, _valid(flow, np.shape(condition))


def _valid(flow: Flow | None, shape: tuple[int, ...]) -> Any:
    """Which rows of a condition are of the data, where some fill up the batch."""
    rows = None if flow is None else flow.valid_rows
    if rows is None or not shape or shape[0] != rows.shape[0]:
        return True
    return rows.reshape(-1, *(1,) * (len(shape) - 1))


def _where() -> str:
    """The layer that runs now, in words."""
    flow = current_flow()
    if flow is None or not flow.stack:
        return OUTSIDE
    return place_of(flow.stack[-1][0])


def _program() -> Program | None:
    """The program of the library that is traced now, which is told that it may raise; None: another
    one, or none.
    """
    program = in_force.value_of(MAY_TRACE)
    if program is not None:
        program.may_raise = True
    return program


def _look(condition: Any, where: str, reason: str) -> None:
    """Looks at a condition; what follows does not depend on it."""
    axes, program, of = np.ndim(condition), None, ""
    if current_microbatch() is not None:
        of = " of a microbatch"
    if isinstance(condition, jax.core.Tracer):
        program = _program()

    def told(held: Any) -> None:
        held = np.asarray(held)
        if not held.any():
            return
        error = ConditionError(where, reason, held, held.ndim - axes, of)
        if program is None:
            raise error
        program.raised.append(error)

    _call_where(told, condition, [])


def _call_where(call: Callable, condition: Any, values: list) -> None:
    """Calls the host with a condition, and values, where any of it holds."""
    if not isinstance(condition, jax.core.Tracer):
        call(condition, *values)
        return

    @jax.custom_batching.custom_vmap
    def looked_at(condition: jax.Array, *values: Any) -> jax.Array:
        def called(condition: jax.Array, *values: Any) -> jax.Array:
            jax.debug.callback(call, condition, *values)
            return jnp.ones((), bool)

        def passed(condition: jax.Array, *values: Any) -> jax.Array:
            return jnp.zeros((), bool)

        return jax.lax.cond(jnp.any(condition), called, passed, condition, *values)

    @looked_at.def_vmap
    def _(size: int, batched: list, condition: jax.Array, *values: Any) -> tuple:
        if not batched[0]:
            condition = jnp.broadcast_to(condition, (size, *condition.shape))
        _call_where(call, condition, list(values))
        return jnp.zeros((), bool), False

    looked_at(*map(jax.lax.stop_gradient, (condition, *values)))
