"""Blocks in which code runs otherwise: without touching variables, on shapes alone, under a name,
on a device.
"""

import contextlib
from typing import Any, Self

import jax
import jax.numpy as jnp

from jkeras.core.weights import frame
from jkeras.core.names import naming
from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.names.registry import public
from jkeras.core.system.traces import trace_state
from jkeras.core.weights.variable import Variable
from jkeras.kernel.masks_on import mask_on, set_mask_on


def is_training() -> bool:
    """Whether a forward pass in training is under way."""
    return bool(getattr(frame.current(), "training", False))


def is_symbolic() -> bool:
    """Whether a pass is under way that computes shapes alone."""
    run = frame.current()
    return run is not None and run.abstract


def mask_beside(x: Any) -> Any:
    """The mask that travels beside an array, in a pass or outside of any."""
    run = frame.current()
    return mask_on(x) if run is None else run.mask_of(x)


def set_mask_beside(x: Any, mask: Any) -> None:
    """Lets a mask travel beside an array."""
    run = frame.current()
    if run is None:
        set_mask_on(x, mask)
    else:
        run.set_mask(x, mask)


def at_place(name: str, value: Any) -> Any:
    """A value on the way of the layer that runs, by name: as it is, or changed by who looks on."""
    run = frame.current()
    if run is None or run.observer is None or not run.stack:
        return value
    path = run.place_of(run.stack[-1][0])
    return value if path is None else run.observer.at_place((*path, name), run, value)


def on_values(values: ByVariable) -> frame.Run:
    """A block in which variables have other values, and what is assigned to them goes there."""
    return frame.Run(values=values)


def with_outer_values(values: ByVariable) -> ByVariable:
    """Values of variables, with those of all others in the pass that is under way."""
    outer = frame.current()
    if outer is None or not outer.values:
        return values
    return outer.values.updated(values)


class Mapped(frame.Run):
    """A run on the values of a mapping: what is assigned goes into it, what is not in it is read
    from outside.
    """

    def __init__(self, values: ByVariable) -> None:
        super().__init__(values=values)

    def __enter__(self) -> Self:
        self.outer, self.level = frame.current(), trace_state()
        if self.outer is not None:
            self.stack = list(self.outer.stack)
            self.casting = self.outer.casting
            self.masks = self.outer.masks
            self.training = self.outer.training
        return super().__enter__()

    def read(self, variable: Variable) -> jax.Array:
        """The mapped value, else that of the run around, else the variable's own."""
        if self.values.has(variable) or self.outer is None:
            return super().read(variable)
        return self.outer.read(variable)

    def write(self, variable: Variable, value: jax.Array) -> None:
        """Puts the value into the mapping."""
        if not self.values.has(variable):
            self.values.set(variable, self.read(variable))
        super().write(variable, value)

    def sample_key(self, generator):
        """The key of the run around; None, the generator's own count, where there is none."""
        return None if self.outer is None else self.outer.sample_key(generator)

    def build(self, layer, call):
        """Builds a layer met for the first time: its new variables have values of their own."""
        self.build_now(layer, call)


@public("keras.StatelessScope")
class StatelessScope:
    """A block in which no variable changes: values come from a mapping, and updates go into it.

    Args:
        state_mapping: `(variable, value)` pairs to start with.
        collect_losses: keep what layers add with `add_loss` in `losses`.
        initialize_variables: taken as Keras does; values are made when they are first read.
    Raises:
        ValueError: a key that is no `Variable`, or a value of another shape.

    >>> v = Variable([1.0, 2.0])
    >>> with StatelessScope([(v, [3.0, 4.0])]) as scope:
    ...     v.assign_add([1.0, 1.0]).tolist()
    [4.0, 5.0]
    >>> scope.get_current_value(v).tolist(), v.numpy().tolist()
    ([4.0, 5.0], [1.0, 2.0])
    """

    def __init__(
        self,
        state_mapping: Any = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        self.collect_losses, self.initialize_variables = collect_losses, initialize_variables
        values = ByVariable()
        for variable, value in state_mapping or ():
            if not isinstance(variable, Variable):
                raise ValueError(
                    "In `state_mapping`, pairs (variable, value), all keys in argument `mapping` "
                    f"must be Variable instances. Received the key: {variable!r}"
                )
            value = jnp.asarray(
                getattr(value, "value", value) if isinstance(value, Variable) else value
            )
            if value.shape != tuple(variable.shape):
                raise ValueError(
                    "In `state_mapping`, all values in argument `mapping` must be tensors with the "
                    f"shape of their variable: '{variable.path}' has shape "
                    f"{tuple(variable.shape)}. Received: shape {value.shape}"
                )
            values.set(variable, value.astype(variable.own_dtype))
        self._run = Mapped(values)

    def __enter__(self) -> Self:
        self._run.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._run.__exit__(*exc)

    @property
    def state_mapping(self):
        """`{id(variable): value}` of all variables given or assigned, as in Keras."""
        return {id(variable): value for variable, value in self._run.values}

    @property
    def losses(self) -> list[Any]:
        """The losses added inside the block, where `collect_losses` is set."""
        return [value for _, value in self._run.losses] if self.collect_losses else []

    def add_loss(self, loss: Any) -> None:
        """Adds a loss."""
        self._run.losses.append((None, loss))

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Takes a `(variable, value)` pair as the variable's new value."""
        self._run.values.set(*update)

    def get_current_value(self, variable: Variable) -> jax.Array | None:
        """The value of a variable in the block; None if it was neither given nor assigned."""
        return self._run.values.find(variable)


@public("keras.SymbolicScope")
class SymbolicScope:
    """A block in which only shapes count: variables read as zeros, keep what they hold, and no key
    is used up.

    >>> v = Variable([1.0, 2.0])
    >>> with SymbolicScope():
    ...     v.assign([3.0, 4.0]).shape
    (2,)
    >>> v.numpy().tolist()
    [1.0, 2.0]
    """

    def __enter__(self) -> Self:
        self._run = frame.Run(abstract=True)
        self._run.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._run.__exit__(*exc)


@public("keras.name_scope")
class name_scope:  # noqa: N801 - Keras's name
    """A block whose name stands in the paths of the variables and layers built inside.

    Args:
        name: a part of the path, without "/".
        caller, deduplicate: entering the scope that the same caller has just opened changes
            nothing.
        override_parent: the path around, instead of that of the scopes around.
    Raises:
        ValueError: a name with "/" or not a string.

    >>> with name_scope("encoder"):
    ...     v = Variable(1.0, name="scale")
    >>> v.path
    'encoder/scale'
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        unknown = set(kwargs) - {"caller", "deduplicate", "override_parent"}
        if unknown:
            raise TypeError(f"name_scope got unknown arguments: {sorted(unknown)}")
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                "Argument `name` must be a string and cannot contain character `/`. "
                f"Received: name={name}"
            )
        self.name = name
        self.caller = kwargs.get("caller")
        self.deduplicate = kwargs.get("deduplicate", True)
        self.override_parent = kwargs.get("override_parent")

    def __enter__(self) -> Self:
        parent = naming.innermost()
        again = (
            self.deduplicate
            and self.caller is not None
            and isinstance(parent, name_scope)
            and (parent.caller is self.caller and parent.name == self.name)
        )
        around = naming.path_around() if self.override_parent is None else self.override_parent
        self.path = parent.path if again else f"{around}/{self.name}".lstrip("/")
        self._building = naming.inside(self)
        self._building.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._building.__exit__(*exc)


@public("keras.device")
def device(device_name: Any) -> contextlib.AbstractContextManager[Any]:
    """A context manager that puts the arrays made inside on a device.

    Args:
        device_name: "cpu", "gpu:0", or a device of JAX.
    Raises:
        ValueError: neither, or there is no such device.

    >>> with device("cpu:0"):
    ...     jnp.ones(2).device.platform
    'cpu'
    """
    if isinstance(device_name, jax.Device):
        return jax.default_device(device_name)
    if not isinstance(device_name, str):
        raise ValueError(
            "Invalid value for argument `device_name`: a device is 'gpu:0' and its like, or "
            f"one of `jax.devices()`. Received: {device_name!r}"
        )
    kind, _, number = device_name.lower().partition(":")
    try:
        return jax.default_device(jax.devices(kind)[int(number or 0)])
    except (RuntimeError, IndexError, ValueError) as error:
        raise ValueError(
            f"There is no device {device_name!r} here. Available: {jax.devices()}"
        ) from error
