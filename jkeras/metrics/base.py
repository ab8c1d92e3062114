"""`Metric`: a pure state machine (init, update, result_of, merge) and the object with variables
that Keras users hold.

A built-in metric is an `Accumulator`: it names its variables (`state_specs`), measures one batch
(`measure`, numbers that are added to them) and reads the result off (`result_of`). A metric of
yours may be written so, or as in Keras with `add_variable`, `update_state` and `result`; then its
pure functions come from running those methods on values.
"""

import functools
import typing
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.weights import frame, policy
from jkeras.core.say import shown
from jkeras.core.names import typed
from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.names.dtypes import as_numbers
from jkeras.core.errors import explain
from jkeras.core.names.family import families
from jkeras.core.graph.host_numbers import WIDEST, fitted, refuse_masked
from jkeras.core.graph.keras_tensor import KerasTensor, refuse_cycles, standardize_shape
from jkeras.core.weights.module import Module
from jkeras.core.record import Any, Record, base_record, defines
from jkeras.core.names.registry import public_name
from jkeras.core.session.settings import auto_name, epsilon, floatx
from jkeras.core.weights.variable import Variable
from jkeras.kernel.beside import mask_beside

State = Mapping[str, jax.Array]  # the variables of a metric, by name


class StateSpec(typing.NamedTuple):
    """One variable of a metric, zero at first.

    Args:
        shape: of the variable; a number by default.
        dtype: floatx by default.
        attribute: under which the metric holds it; its name by default.

    >>> StateSpec(shape=(3,))
    StateSpec(shape=(3,), dtype=None, attribute=None)
    """

    shape: tuple = ()
    dtype: str | None = None  # floatx
    attribute: str | None = None  # under which the metric holds it; its name by default


@base_record("keras", "keras.metrics.Metric", arguments="dtype, name")
class Metric(Module, Record):
    """A number that is gathered over batches: `update_state`, `result`, `reset_state`.

    The pure form, with states that are plain dicts `{variable name: array}`:
    `state = m.init()`, `state = m.update(state, y_true, y_pred, sample_weight)`,
    `m.result_of(state)`, `m.merge(state_a, state_b)`.

    Args:
        dtype: of the computation and the variables; floatx by default.
        name: default from the class's name.
    Raises:
        NotImplementedError: on a call, a class that defines neither form.
        ValueError: from `merge`, variables with an aggregation that does not say how.

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest"):
    ...         super().__init__(name=name)
    ...         self.value = self.add_weight(name="value", initializer="zeros")
    ...     def update_state(self, x, sample_weight=None):
    ...         self.value.assign(jnp.maximum(self.value.value, jnp.max(x)))
    ...     def result(self):
    ...         return self.value.value
    >>> metric = Largest()
    >>> metric.update(metric.init(), jnp.array([1.0, 5.0]))
    {'value': Array(5., dtype=float32)}
    """

    name: typed.Name = None
    dtype: Any = None
    default_dtype = None
    _internal = shown.METRIC
    _traced = False  # whether a class in Keras's style has made the variables that follow from it
    _compiled = None  # the compiled pure functions; none in it where they cannot be compiled
    _core_takes_mask = False
    _direction = None  # "up" or "down": where better values lie
    _core_update = _core_result = None  # the pure functions of the class that wrote them last

    if typing.TYPE_CHECKING:

        def __init__(self, dtype: typing.Any = None, name: str | None = None) -> None: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for pure, method, core, lifted in (
            ("update", "update_state", "_core_update", _lifted_update),
            ("result_of", "result", "_core_result", _lifted_result),
        ):
            if defines(cls, pure):
                setattr(cls, core, vars(cls)[pure])
            elif defines(cls, method):
                setattr(cls, pure, lifted)

    def __post_init__(self) -> None:
        self.name = self.name or auto_name(type(self).__name__)
        self.dtype = policy.get(self.dtype or self.default_dtype or floatx()).compute_dtype
        self._make_variables()

    def __setattr__(self, name: str, value: Any) -> None:
        vars(self).pop("_compiled", None)
        super().__setattr__(name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "_compiled"}

    # ------------------------------------------------------------ what a metric writes

    def state_specs(self, *args: Any, **kwargs: Any) -> dict[str, StateSpec]:
        """`{variable name: StateSpec}`; those that follow from the input's shapes are left out
        without `args`.
        """
        return {}

    def update(self, state: State, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        """The state after one more batch. Pure."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `update_state(self, ...)` as in Keras, or "
            "`update(self, state, ...)`."
        )

    def result_of(self, state: State) -> Any:
        """The metric's value in a state. Pure."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `result(self)` as in Keras, or "
            "`result_of(self, state)`."
        )

    @property
    def takes_mask(self) -> bool:
        """Whether `update` takes a keyword `mask`, the one of `y_pred`."""
        return self._core_takes_mask or self._is_lifted()

    def merge(self, state: State, other: State) -> dict[str, jax.Array]:
        """The state of both batches together. Pure. Each variable is joined by its `aggregation`,
        "sum" by default.
        """
        join = {
            "sum": jnp.add,
            "mean": lambda a, b: (a + b) / 2,
            "only_first_replica": lambda a, b: a,
        }
        merged = {}
        for key, variable in self._named():
            if variable.aggregation not in join:
                raise ValueError(
                    explain(
                        f"Merging states of metric '{self.name}'",
                        f"aggregation {list(join)}",
                        f"'{variable.aggregation}' for variable '{variable.name}'",
                    )
                )
            merged[key] = join[variable.aggregation](state[key], other[key])
        return merged

    def init(self, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        """The state before the first batch.

        Args:
            args, kwargs: what `update` will take, arrays or `jax.ShapeDtypeStruct`s. Only a
                metric whose variables follow from the shapes of its input needs them.
        """
        if args or kwargs:
            self.build_for(args, kwargs)
        zeros = {key: jnp.zeros(v.shape, v.dtype) for key, v in self._named()}
        return _run_on(self, zeros, lambda run: self.reset_state())[1]

    # ------------------------------------------------------------ variables

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: str | None = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """A new variable of the metric.

        Args:
            shape: a tuple of sizes.
            initializer: name, object or `(shape, dtype) -> array`; zeros for None.
            aggregation: how the variables of two replicas are joined: "sum", "mean",
                "only_first_replica".
            dtype: floatx by default.
            name: its key in states.
        Returns:
            The variable, which is not trained.
        """
        self._check_super_called()
        if initializer in (None, "zeros"):
            initializer = jnp.zeros
        elif not callable(initializer) or isinstance(initializer, type):
            initializer = families["initializers"].get(initializer)
        variable = Variable(
            initializer,
            standardize_shape(shape),
            dtype,
            trainable=False,
            autocast=False,
            aggregation=aggregation,
            synchronization="on_read",
            name=name,
        )
        variable.scope = self.name.replace("/", ">")
        self._own[self._free_key(name or "variable")] = variable
        return variable

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: str | None = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the metric, `add_variable` in another order.

        Args:
            shape, initializer, dtype, name: as for `add_variable`.
        Returns:
            The variable.
        """
        return self.add_variable(shape, initializer, dtype, name=name)

    def _make_variables(self, *args: Any, mask: Any = None, **kwargs: Any) -> None:
        for name, spec in self.state_specs(*args, **kwargs).items():
            if name not in self._own:
                variable = self.add_variable(spec.shape, jnp.zeros, spec.dtype, name=name)
                setattr(self, spec.attribute or name, variable)

    def build_for(self, args: Any, kwargs: Any) -> None:
        """Makes the variables that follow from the input, by an abstract update for a class in
        Keras's style.
        """
        if not self._is_lifted():
            self._make_variables(*args, **kwargs)
        elif not self._traced:
            with frame.Run(self, abstract=True):
                jax.eval_shape(lambda a, k: (self.update_state(*a, **k), None)[1], args, kwargs)
            self._traced = True

    def _is_lifted(self) -> bool:
        """Whether the class is written with `update_state`, as in Keras."""
        return type(self).update is _lifted_update

    def _named(self) -> list[tuple[str, Variable]]:
        """(key, variable) of its own variables, then of those of metrics in it; not of layers that
        it uses.
        """
        named = list(self._own.items())
        for key, child in self._children.items():
            if isinstance(child, Metric):
                named += [(f"{key}/{inner}", variable) for inner, variable in child._named()]
        return named

    def named_variables(self) -> list[tuple[tuple[str, ...], Variable]]:
        """(path, variable) of each of `variables`: metrics in it may name theirs alike."""
        return [(tuple(key.split("/")), variable) for key, variable in self._named()]

    @property
    def variables(self) -> list[Variable]:
        """The metric's variables, then those of metrics in it."""
        return [variable for _, variable in self._named()]

    def _check_super_called(self) -> None:
        if self.name is None:
            raise RuntimeError(
                f"Call `super().__init__()` first in the constructor of {type(self).__name__}."
            )

    # ------------------------------------------------------------ Keras's methods

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Counts one more batch in."""
        if self._core_update is None:
            return Metric.update(self, None)
        args = [_as_input(a) for a in args]
        kwargs = {k: _as_input(v) for k, v in kwargs.items()}
        if self._core_takes_mask and len(args) > 1 and "mask" not in kwargs:
            kwargs["mask"] = mask_beside(args[1])
        self._make_variables(*args, **kwargs)
        new = self._pure("update")(self._read(), *args, **kwargs)
        for key, variable in self._named():
            if key in new:
                frame.write(variable, new[key])

    def result(self) -> Any:
        """The value over all batches since the last reset."""
        if self._core_result is None:
            return Metric.result_of(self, None)
        return self._pure("result")(self._read())

    def reset_state(self) -> None:
        """Forgets all batches."""
        for variable in self.variables:
            frame.write(variable, jnp.zeros(variable.shape, variable.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_super_called()
        self.update_state(*args, **kwargs)
        return self.result()

    def stateless_update_state(
        self, metric_variables: Sequence[Any], *args: Any, **kwargs: Any
    ) -> list[jax.Array]:
        """`update` on a list of values, one for each of `variables`; returns such a list."""
        return self._in_order(self.update(self._state_of(metric_variables), *args, **kwargs))

    def stateless_result(self, metric_variables: Sequence[Any]) -> Any:
        """`result_of` on a list of values, one for each of `variables`."""
        return self.result_of(self._state_of(metric_variables))

    def stateless_reset_state(self) -> list[jax.Array]:
        """The values before the first batch, one for each of `variables`."""
        return self._in_order(self.init())

    def _state_of(self, values: Sequence[Any]) -> dict[str, jax.Array]:
        keys = [key for key, _ in self._named()]
        if len(values) != len(keys):
            raise ValueError(
                f"`metric_variables`: expected the values of {type(self).__name__}().variables, "
                f"in their order. Received {len(values)} of them, for {len(keys)} variables."
            )
        return {key: jnp.asarray(value) for key, value in zip(keys, values)}

    def _in_order(self, state: State) -> list[jax.Array]:
        # a state that came out of jit has its keys sorted
        return [state[key] for key, _ in self._named()]

    def _read(self) -> dict[str, jax.Array]:
        return {key: frame.read(variable) for key, variable in self._named()}

    def _pure(self, which: str) -> Callable:
        """The pure function of Keras's method; compiled where it is a built-in metric with built-in
        functions.
        """
        if self._compiled is None:
            compiled = {}
            if public_name(type(self)) and self._can_compile():
                compiled = _compile(_Snapshot(self))
            self.set_untracked(_compiled=compiled)
        if self._compiled:
            return self._compiled[which]
        if which == "update":
            return self._core_update
        return self._core_result

    def _can_compile(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


# ---------------------------------------------------------------- classes in Keras's style


def _run_on(self, state: State, method: Callable):
    """`method(run)` with the metric's variables at a state; then the state."""
    named = self._named()
    values = ByVariable((variable, state[key]) for key, variable in named)
    with frame.Run(self, values=values) as run:
        out = method(run)
    keys = [key for key, _ in named]
    return out, dict(zip(keys, values.of(variable for _, variable in named)))


def _lifted_update(self, state: State, *args: Any, mask: Any = None, **kwargs: Any):
    """The state after one more batch, by the class's `update_state`. Pure."""

    def method(run: Callable[..., Any]):
        if mask is not None and len(args) > 1:
            run.set_mask(args[1], mask)
        self.update_state(*args, **kwargs)

    return _run_on(self, state, method)[1]


def _lifted_result(self, state: State):
    """The metric's value in a state, by the class's `result`. Pure."""

    def method(run: Callable[..., Any]):
        return jax.tree_util.tree_map(_value, self.result())

    return _run_on(self, state, method)[0]


def _value(x: Any):
    """The value of a variable; anything else as it is."""
    if isinstance(x, Variable):
        return x.value
    return x


# ---------------------------------------------------------------- built-in metrics


class Accumulator(Metric):
    """A metric whose state is a sum over batches: `measure` gives what one batch adds to each
    variable.

    Subclasses define `state_specs`, `measure` and `result_of`; all three are pure.

    Args:
        name, dtype: as for `Metric`.
    Raises:
        ValueError: on an update, a variable that the state lacks, or that has another shape there.

    >>> class Rows(Accumulator):
    ...     def state_specs(self, *args, **kwargs):
    ...         return {"rows": StateSpec()}
    ...     def measure(self, y_true, y_pred, sample_weight=None):
    ...         return {"rows": len(y_true)}
    ...     def result_of(self, state):
    ...         return state["rows"]
    >>> float(Rows()([0, 1, 1], [0, 1, 0]))
    3.0
    """

    def weight_of_rows(self, valid_rows: jax.Array, y_true: jax.Array) -> jax.Array | None:
        """Weights for a batch without weights some of whose rows are not valid; None if there are
        none to say so.
        """
        return valid_rows.astype("int32")

    def measure(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """`{variable name: what this batch adds}`."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `measure(self, y_true, y_pred, sample_weight)`."
        )

    def update(self, state: State, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        """The state after one more batch. Pure."""
        added = self.measure(*args, **kwargs)
        missing = [name for name in added if name not in state]
        if missing:
            raise ValueError(
                explain(
                    f"Metric '{self.name}'",
                    f"a state with {missing}",
                    f"one with {list(state)}",
                    "make it with `metric.init(y_true, y_pred)`",
                )
            )
        for name, value in added.items():
            if jnp.shape(value) != jnp.shape(state[name]):
                raise ValueError(
                    explain(
                        f"Metric '{self.name}'",
                        f"input that gives `{name}` shape {jnp.shape(state[name])}, as before",
                        f"shape {jnp.shape(value)}",
                    )
                )
        new = dict(state)
        for name, value in added.items():
            new[name] = state[name] + jnp.asarray(value, state[name].dtype)
        return new


def _as_input(x: Any) -> Any:
    """An argument of `update_state` as an array; structures and None stay."""
    if isinstance(x, Variable):
        return frame.read(x)
    if isinstance(x, (list, tuple, bool, int, float, np.generic, str)):
        refuse_cycles(x, "values")
        return as_numbers(x, "values")
    is_foreign = hasattr(x, "__array__") and not isinstance(x, (jax.Array, KerasTensor))
    if is_foreign and not isinstance(x, np.ndarray):  # a tensor of TensorFlow, a table of pandas
        x = np.asarray(x)
    if isinstance(x, np.ndarray):
        refuse_masked(x, "values")
        if x.dtype.itemsize > 4 or not x.dtype.isnative:
            x = fitted(x, "values", WIDEST)
        return x if x.dtype.kind in "biufcV" else as_numbers(x, "values")
    return x


# ---------------------------------------------------------------- one compiled call for equal
# metrics


class _Snapshot:
    """A metric's hyper-parameters without its variables, as a key."""

    def __init__(self, metric: Metric):
        own = ("name", "_own", "_children", "_compiled")
        settings = {
            k: v for k, v in vars(metric).items() if k not in own and not isinstance(v, Variable)
        }
        arguments = [(k, _frozen(settings[k])) for k in sorted(settings)]
        self.key = (type(metric), floatx(), epsilon(), *arguments)
        self.metric = object.__new__(type(metric))
        self.metric.set_untracked(**settings, name=metric.name, _own={}, _children={})

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return self.key == other.key


def _frozen(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *map(_frozen, value))
    if isinstance(value, dict):
        return tuple((k, _frozen(value[k])) for k in sorted(value))
    if isinstance(value, (np.ndarray, jax.Array)):
        return str(value.dtype), value.shape, np.asarray(value).tobytes()
    return type(value), value


@functools.lru_cache(maxsize=512)
def _compile(snapshot: _Snapshot) -> dict[str, Callable]:
    metric = snapshot.metric
    return {"update": jax.jit(metric._core_update), "result": jax.jit(metric._core_result)}
