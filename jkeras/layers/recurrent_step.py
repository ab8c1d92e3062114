"""A recurrent cell's step as a pure function.

A loop needs a step that neither reads variables nor draws keys. `bind(cell, ...)` gives it for
every cell: for those of this library, which have a method `bind`, for layers of the user's, and for
any object with `call` and `state_size`.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.run.adapting import loop_body
from jkeras.core.layer import Layer
from jkeras.core.weights.structure import all_built
from jkeras.kernel.apply import on_shapes
from jkeras.ops.kernels import on_cpu
from jkeras.ops.recurrent import Step
from jkeras.programs.primitives import facts_of
from jkeras.core.run.context import Children
from jkeras.core.weights.types import Function, Structure


def bind(
    cell: Layer,
    sub: Children,
    x: jax.Array,
    states: list[jax.Array] | list[list[Any]],
    training: bool,
) -> Any:
    """The step of any cell. Weights are read and keys are drawn now, so that a loop may run the
    step.

    Args:
        cell: a cell of this library, a layer of the user's with `call(inputs, states)`, or any such
            object.
        sub: the children among which the cell is.
        x: input of one step (batch, ...); only its shape and dtype count.
    """
    if not isinstance(cell, Layer):
        call = cell if callable(cell) else cell.call
        return Step(None, lambda x, states, t: call(x, as_list(states)))
    if _gives_its_step(type(cell)):
        return sub.run_method(cell, "bind", x, states, training=training)
    body = loop_body(cell, training)
    return Step(None, lambda x, states, t: body(t, x, as_list(states)))


def widened(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights of a loop in float32, in which the gradients of its steps are added up then."""
    return {name: value.astype("float32") for name, value in weights.items()}


def narrowed(weights: Mapping[str, Any], like: Mapping[str, Any]) -> dict[str, Any]:
    """What `widened` gave, for one step, in the types that the weights have."""
    return {name: value.astype(like[name].dtype) for name, value in weights.items()}


def gives_its_states(cell: Layer) -> bool:
    """Whether a cell has initial states for an input, as those of this library have; of a cell
    that is made of others, whether all of these have.
    """
    if not isinstance(cell, Layer) or not _gives_its_states(type(cell)):
        return False
    return not cell.traits.has_children or cell.is_native()


def is_native_cell(cell: Layer) -> bool:
    """Whether a cell runs on values by path, its initial states too."""
    if not isinstance(cell, Layer) or not cell.is_native():
        return False
    return _gives_its_states(type(cell)) and _gives_its_step(type(cell))


@functools.cache  # asked several times in each call
def _gives_its_states(cls) -> bool:
    return _is_latest(cls, "states_for", ("get_initial_state",))


@functools.cache
def _gives_its_step(cls) -> bool:
    return _is_latest(cls, "bind", ("forward", "call"))


def _is_latest(cls, method: str, others: tuple[str, ...]) -> bool:
    """Whether a class has a method, and no class further down has one of the others, which it would
    have to fit.
    """
    for base in cls.__mro__:
        if method in base.__dict__:
            return True
        if any(other in base.__dict__ for other in others):
            return False
    return False


def build_cell(cell: Layer, shape: tuple[int | None, ...]) -> None:
    """Builds a cell for the shape of one step's input, also one whose layers are only built when it
    is called.
    """
    if not isinstance(cell, Layer):
        return
    if not cell.built and not (cell.is_lifted() and type(cell).build is Layer.build):
        cell.build(shape)
    if not all_built(cell):
        batch = shape[0] or 1
        x = jax.ShapeDtypeStruct((batch, *shape[1:]), cell._input_type)
        on_shapes(lambda *args: cell.run_abstract(args, {}), x, initial_states(cell, batch))


def initial_states(cell: Layer, batch_size: int) -> list[jax.Array] | list[list[Any]]:
    """A cell's own initial states, else zeros of its `state_size`; as a list."""
    make = getattr(cell, "get_initial_state", None)
    if make is not None:
        states = make(batch_size=batch_size)
        return list(as_list(states))
    dtype, sizes = getattr(cell, "compute_dtype", "float32"), cell.state_size
    return [jnp.zeros((batch_size, n), dtype) for n in (sizes if is_nested(sizes) else [sizes])]


def output_size(cell: Layer) -> int:
    """The size of a cell's output: its `output_size`, else that of its first state."""
    size = getattr(cell, "output_size", None)
    size = cell.state_size if size is None else size
    return size[0] if isinstance(size, (list, tuple)) else size


def is_nested(states: Structure) -> bool:
    """Whether states are a list of arrays and not one array."""
    return isinstance(states, (list, tuple))


def as_list(states: Structure) -> Any:
    """States in a list or tuple, also if they are one array."""
    return states if is_nested(states) else [states]


def check_cell(cell: Layer, where: str) -> None:
    """Raises ValueError for what is no cell."""
    for name in ("call", "state_size"):
        if not hasattr(cell, name):
            raise ValueError(
                f"{where}: expected a recurrent cell with `call(inputs, states)` and `state_size`. "
                f"Received an object without `{name}`: {cell!r}"
            )


class StateShapes:
    """What Keras announces of the states that follow an output, which differs from what comes."""

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Structure:
        """The outputs' shapes and dtypes; the state of a stacked cell with one state is no list
        here, as in Keras.
        """
        outputs = super().compute_output_spec(*args, **kwargs)
        if not self.return_state:
            return outputs
        return tuple(v[0] if is_nested(v) and len(v) == 1 else v for v in outputs)


def keeping_costly(*steps: Function) -> list[Function]:
    """Steps of loops, whose gradients on CPU keep results of products and of functions like tanh,
    and compute sums and products of elements again.

    >>> [step] = keeping_costly(lambda z, states, t: (z + states, z + states))
    >>> step(jnp.ones(2), jnp.ones(2), 0)[0].tolist()
    [2.0, 2.0]
    """
    if not on_cpu():
        return list(steps)
    keeping = functools.partial(jax.checkpoint, prevent_cse=False, policy=_is_costly)
    return list(map(keeping, steps))


def _is_costly(primitive: Any, *_: Any, **__: Any) -> bool:
    return not facts_of(primitive.name).is_cheap
