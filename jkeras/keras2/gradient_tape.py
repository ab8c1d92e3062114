"""`tf.GradientTape`: gradients of what was computed within a block."""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

import jkeras
from jkeras.core.errors import explain
from jkeras.core.graph.by_identity import ByIdentity
from jkeras.kernel import in_force
from jkeras.keras2 import recording


class GradientTape:
    """Keeps what JAX computes within the block, and differentiates it.

    Args:
        persistent: whether gradients may be asked for more than once.
        watch_accessed_variables: taken as True: any variable or array may be asked for.

    >>> x = jkeras.Variable(3.0)
    >>> with GradientTape() as tape:
    ...     y = x * x
    >>> float(tape.gradient(y, x))
    6.0
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        if not recording.IS_THERE:
            raise NotImplementedError(
                f"tf.GradientTape: JAX {jax.__version__} does not let a block be recorded. Write "
                "the loss as a function, and take jax.grad of it."
            )
        self.persistent = persistent
        self.steps = None  # those of the block, once it was entered
        self._is_used = False
        self._values = ByIdentity()  # variable -> its array in the block

    def __enter__(self):
        if self.steps is not None:
            raise ValueError("tf.GradientTape: this tape was entered before; make another one.")
        self._block = recording.recording()
        self.steps = self._block.__enter__()
        self._token = in_force.begin(OPEN, (*_open_tapes(), self))
        return self

    def __exit__(self, *exc: Any) -> None:
        self._block.__exit__(*exc)
        in_force.end(self._token)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotImplementedError(
            f"tf.GradientTape.{name}: jkeras's tape has watch, gradient and jacobian. Anything "
            "else is jax.grad, jax.jacobian and jax.hessian of a function."
        )

    def watch(self, tensor: Any) -> None:
        """Nothing: gradients for any array of the block may be asked for.

        Raises:
            TypeError: what is to be watched is no array of JAX's, so that it would not be found.
        """
        for x in jax.tree_util.tree_leaves(tensor):
            if not isinstance(x, (jax.Array, jkeras.Variable)):
                raise TypeError(_no_array("watch", x))

    def saw(self, variables: Iterable[Any]) -> None:
        """Remembers what variables are now; the first time counts."""
        for variable in variables:
            if not self._values.has(variable):
                self._values.set(variable, variable.value)

    # ------------------------------------------------------------ gradients

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = "none",
    ) -> Any:
        """The gradients of the sum of the target for variables and arrays, in their structure; None
        where the target does not depend on one.
        """
        function, flat, structure, is_connected, targets = self._function(target, sources)
        values = [self._value(source) for source in flat]
        _, back = jax.vjp(function, values)
        given = jax.tree_util.tree_leaves(output_gradients)
        ones = [jnp.ones_like(x) for x in targets]
        if given:
            ones = [
                jnp.broadcast_to(jnp.asarray(g, x.dtype), x.shape) for g, x in zip(given, targets)
            ]
        [gradients] = back(ones)
        missing = str(getattr(unconnected_gradients, "value", unconnected_gradients)).lower()
        found = [
            _found(gradient, connected, missing)
            for gradient, connected in zip(gradients, is_connected)
        ]
        return jax.tree_util.tree_unflatten(structure, found)

    def jacobian(self, target: Any, sources: Any, **options: Any) -> Any:
        """The derivatives of each number of an array for variables and arrays."""
        function, flat, structure, _, _ = self._function(target, sources)
        values = [self._value(source) for source in flat]
        [found] = jax.jacrev(function)(values)
        return jax.tree_util.tree_unflatten(structure, found)

    def _function(self, target: Any, sources: Any) -> tuple:
        """(function of the sources' values, sources, their structure, whether the target depends
        on each, the targets).
        """
        is_spent = self._is_used and not self.persistent
        if self.steps is None or is_spent:
            raise RuntimeError(
                "tf.GradientTape: gradients are asked for once, after the block; for more make "
                "tf.GradientTape(persistent=True)."
            )
        self._is_used = True
        is_variable = lambda x: isinstance(x, jkeras.Variable)  # noqa: E731
        flat, structure = jax.tree_util.tree_flatten(sources, is_leaf=is_variable)
        targets = [self._target(x) for x in jax.tree_util.tree_leaves(target, is_leaf=is_variable)]
        values = [self._value(source) for source in flat]
        wanted, _ = recording.leading_to(targets, self.steps)
        is_connected = [wanted.has(value) for value in values]
        for source, value in zip(flat, values):
            self._check_was_there(source, value)
        steps = self.steps
        if not self.persistent:
            self.steps = []  # what the block computed may go
        return (
            recording.steps_to(targets, values, steps),
            flat,
            structure,
            is_connected,
            targets,
        )

    def _value(self, source: Any) -> jax.Array:
        """The array that a source was in the block."""
        if isinstance(source, jkeras.Variable):
            return self._values.find(source, source.value)
        if not isinstance(source, jax.Array):
            raise TypeError(_no_array("gradient", source))
        return source

    def _target(self, target: Any) -> jax.Array:
        if isinstance(target, jkeras.Variable):
            return self._value(target)
        if isinstance(target, jax.Array) and recording.made_by(target, self.steps):
            return target
        raise ValueError(
            explain(
                "tf.GradientTape.gradient",
                "a target that JAX computed within the block, from the model's outputs",
                f"{type(target).__name__} {target!r:.60}",
                "compute the loss inside `with tf.GradientTape()`, with the functions of Keras, "
                "tf or jax.numpy, not with numpy or by float(...)",
            )
        )

    def _check_was_there(self, source: Any, value: Any) -> None:
        """Refuses a variable of which the block does not know what it was."""
        is_known = self._values.has(source) or recording.taken_by(value, self.steps)
        if isinstance(source, jkeras.Variable) and not is_known:
            raise ValueError(
                explain(
                    "tf.GradientTape.gradient",
                    "variables that were used within the block, and not assigned to since",
                    f"{source.path}",
                    "ask for the gradients before the optimizer applies others",
                )
            )


def _no_array(method: str, x: Any) -> str:
    return explain(
        f"tf.GradientTape.{method}",
        "arrays of JAX or variables",
        f"{type(x).__name__}",
        "make it one by keras.ops.convert_to_tensor or tf.Variable",
    )


def _found(gradient: jax.Array, is_connected: bool, missing: str) -> Any:
    """One gradient; None or zeros where there is none."""
    if is_connected and gradient.dtype != jax.dtypes.float0:
        return gradient
    return None if missing == "none" else jnp.zeros_like(gradient)


OPEN = "tapes of keras2"


def _open_tapes():
    return in_force.value_of(OPEN) or ()


def show(model: Any) -> None:
    """Tells the tapes whose blocks are under way what the variables of a model are."""
    for tape in _open_tapes():
        tape.saw(model.variables)
