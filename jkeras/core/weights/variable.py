"""Variables: named views of one array. While a layer runs on explicit values, the run has
the value; otherwise the variable holds it.
"""

import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jkeras.core.weights import frame
from jkeras.core.names import naming
from jkeras.core.say import shown
from jkeras.core.errors import check_choice, explain
from jkeras.core.names.family import families
from jkeras.core.graph.host_numbers import fitted, on_device, refuse_masked
from jkeras.core.graph.keras_tensor import OPERATORS, _ops, standardize_shape
from jkeras.core.names.dtypes import is_float, standardize_dtype
from jkeras.core.weights.first_values import first_array, put
from jkeras.core.session.planned import here, is_planned_for
from jkeras.core.names.registry import public
from jkeras.core.session.settings import auto_name, settings
from jkeras.core.session.spread import spread


AGGREGATIONS = (None, "none", "mean", "sum", "only_first_replica")
SYNCHRONIZATIONS = (None, "none", "on_read", "on_write", "auto")
BEGINNING = threading.Lock()  # of first values, which several threads may make


def gathered(value: jax.Array, layout: Any) -> jax.Array:
    """A value of a layout as it is computed with: on the devices, wherever it rests.

    In a compiled step parts along the axis of the mesh that cuts batches, which save memory at
    rest, are put together; parts along other axes stay.
    """
    distribution = settings.distribution
    sharding = getattr(layout, "backend_layout", layout)
    if not isinstance(sharding, NamedSharding):
        return value
    if getattr(layout, "memory_kind", None) is not None:
        value = jax.device_put(value, sharding.with_memory_kind("device"))
    if distribution is None:
        return value
    spec = [None if axis == distribution.batch_dim_name else axis for axis in sharding.spec]
    if spec == list(sharding.spec) or not isinstance(value, jax.core.Tracer):
        return value
    combined = NamedSharding(sharding.mesh, PartitionSpec(*spec))
    return jax.lax.with_sharding_constraint(value, combined)


class Borrowed:
    """Stands in a variable for an array that lies elsewhere, such as one that a running `fit` owns;
    `pull` puts the arrays back into the variables.
    """

    def __init__(self, pull: Callable[[], None], lock: Any) -> None:
        self.pull, self.lock = pull, lock


def values_of(variables: "Iterable[Variable]") -> list[jax.Array]:
    """The arrays that variables hold themselves, all of the same moment, also while another thread
    trains them.
    """
    values = list(map(operator.attrgetter("held"), variables))
    kinds = set(map(type, values))
    for kind in kinds:
        if kind is type(None) or issubclass(kind, Borrowed):
            break
    else:
        return values
    if not any(isinstance(value, Borrowed) for value in values):
        return [v.own_value() if value is None else value for v, value in zip(variables, values)]
    lock = next(value.lock for value in values if isinstance(value, Borrowed))
    with lock:
        return [v.own_value() for v in variables]


def _check_arguments(name: object, aggregation: object, synchronization: object) -> None:
    if not isinstance(name, str) or "/" in name:
        raise ValueError(
            "Argument `name` must be a string and cannot contain character `/`. "
            f"Received: name={name} (of type {type(name)})"
        )
    if aggregation not in AGGREGATIONS:
        check_choice("aggregation", aggregation, AGGREGATIONS)
    if synchronization not in SYNCHRONIZATIONS:
        check_choice("synchronization", synchronization, SYNCHRONIZATIONS)


def _hook(name: str, doc: str) -> Any:
    """A property that takes a function of the variable's value, or None."""
    held = f"_{name}"

    def change(self: "Variable", value: Any) -> None:
        if value is not None and not callable(value):
            raise ValueError(
                f"Invalid value for attribute `{name}` of variable '{self.path}'. Expected a "
                f"callable, such as those of `jkeras.{name}s`, or None. Received: {name}={value!r}"
            )
        setattr(self, held, value)

    return property(operator.attrgetter(held), change, doc=doc)


@public("keras.Variable")
class Variable:
    """An array with a name that can be assigned.

    Args:
        initializer: an array, number or list: the first value; or a callable `(shape, dtype) ->
            array` or the name of an initializer, run when the value is first looked at.
        shape: needed with an initializer.
        dtype: of the array; by default that of the value, with an initializer floatx.
        trainable: whether gradients reach it.
        name: default "variable", "variable_1", …
    Attributes:
        held: what the variable itself holds: an array, None before the first look, or `Borrowed`.

    >>> v = Variable([1.0, 2.0])
    >>> print(v.assign_add([1.0, 1.0]))
    [2. 3.]
    >>> print(v * 2)
    [4. 6.]
    """

    _internal, __dir__ = shown.VARIABLE, shown.public_dir
    if TYPE_CHECKING:
        name: str
        shape: tuple[int, ...]

        # operators, which are set below from the table
        def __add__(self, other: Any) -> jax.Array: ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __add__
        __matmul__ = __rmatmul__ = __and__ = __rand__ = __or__ = __ror__ = __add__
        __xor__ = __rxor__ = __lt__ = __le__ = __gt__ = __ge__ = __add__

    guard = None  # called with the variable before it is assigned by hand; it may raise
    private_runs: tuple = ()  # trainings with privacy that it had, see `jkeras.privacy`
    is_updated = False  # by its layer in training, which counts while it is frozen, as in Keras

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: Literal["none", "mean", "sum", "only_first_replica"] | None = "none",
        synchronization: Literal["none", "on_read", "on_write", "auto"] | None = "auto",
        name: str | None = None,
        layout: Any = None,
        *,
        regularizer: Callable[..., Any] | None = None,
        constraint: Callable[..., Any] | None = None,
        overwrite: bool | None = None,
    ) -> None:
        name = name or auto_name(type(self).__name__)
        _check_arguments(name, aggregation, synchronization)
        self.name, self.scope, self.layout = name, naming.path_around(), layout
        self.autocast, self._overwrite_with_gradient = bool(autocast), bool(overwrite)
        self.aggregation, self.synchronization = aggregation or "none", synchronization or "none"
        # whether it lives in `params`; `trainable` may be switched off later
        self._trainable = self.learnable = bool(trainable)
        self._initializer = self.held = self._regularizer = self._constraint = None
        if regularizer is not None or constraint is not None:
            self.regularizer, self.constraint = regularizer, constraint
        if isinstance(initializer, str):
            initializer = families["initializers"].get(initializer)
        if callable(initializer) and not hasattr(initializer, "__array__"):
            self._begin_with(initializer, shape, dtype)
        else:
            self._hold(initializer, dtype)
        if settings.distribution is not None:
            layout = settings.distribution.get_variable_layout(self)
        if layout is not None or self.layout is not None:
            self.lay_out(layout)

    def _begin_with(
        self, initializer: Callable[..., Any], shape: Sequence[int] | None, dtype: Any
    ) -> None:
        """Makes it the variable of an initializer, which is run when the value is looked at."""
        if shape is None:
            raise ValueError(
                "When creating a Variable from an initializer, the `shape` has to be given as "
                f"well. Received: initializer={initializer} and shape={shape}"
            )
        self._initializer, self.own_dtype = initializer, standardize_dtype(dtype)
        self.shape = standardize_shape(shape)
        if None in self.shape:
            raise ValueError(
                f"Variable '{self.path}' needs a shape without None. Received: shape={self.shape}"
            )

    def _hold(self, value: Any, dtype: Any) -> None:
        value = value.value if isinstance(value, Variable) else value
        if isinstance(value, np.ndarray):
            refuse_masked(value, self.path)
            value = fitted(value, self.path, dtype) if value.ndim else value[()]
        if dtype is None and isinstance(value, np.generic):
            dtype = value.dtype.name
        if dtype is not None:
            dtype = jax.dtypes.canonicalize_dtype(standardize_dtype(dtype))
        is_number = isinstance(value, (bool, int, float, np.generic))
        with jax.ensure_compile_time_eval():
            if is_number and dtype is not None:
                value = put(value, dtype)
            else:
                value = jnp.asarray(value, dtype=dtype)
        self.held, self.shape, self.own_dtype = value, value.shape, value.dtype.name

    regularizer = _hook("regularizer", "The penalty on the value, or None.")
    constraint = _hook("constraint", "What maps the value back after an update, or None.")

    trainable = property(
        operator.attrgetter("_trainable"),
        lambda self, value: setattr(self, "_trainable", bool(value)),
        doc="Whether gradients reach the variable.",
    )

    @property
    def overwrite_with_gradient(self) -> bool:
        """Whether an update replaces the value by the gradient, as for the scales of
        float8.
        """
        return self._overwrite_with_gradient

    @overwrite_with_gradient.setter
    def overwrite_with_gradient(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(
                f"`overwrite_with_gradient` of variable '{self.path}' must be a boolean. "
                f"Received: {value!r}"
            )
        self._overwrite_with_gradient = value

    # ------------------------------------------------------------ the value

    # Keras's name of the array that is held, which programs look at
    _value = property(
        lambda self: self.own_value(), lambda self, value: setattr(self, "held", value)
    )
    initializer = property(
        operator.attrgetter("_initializer"), doc="What makes the first value; None: it was passed."
    )

    @property
    def path(self) -> str:
        """The name with the names of the layers around it: "net/dense/kernel"."""
        return f"{self.scope}/{self.name}" if self.scope else self.name

    @property
    def value(self) -> jax.Array:
        """The array now; in the compute dtype while a layer of a mixed policy runs."""
        value, dtype = frame.read(self), self._cast_dtype()
        return self.whole(value.astype(dtype) if dtype and value.dtype != dtype else value)

    @property
    def dtype(self) -> str:
        """The dtype of `value`: `own_dtype`, or the compute dtype while a layer of a mixed policy
        runs.
        """
        return self._cast_dtype() or self.own_dtype

    def _cast_dtype(self) -> str | None:
        return frame.autocast_dtype() if self.autocast and is_float(self.own_dtype) else None

    @property
    def sharding(self) -> Any:
        """How the array lies over devices, as JAX knows it; None: on one, as JAX likes it."""
        return getattr(self.layout, "backend_layout", self.layout)

    def placed(self, value: jax.Array) -> jax.Array:
        """The array, laid out as this variable's are."""
        if self.layout is None or is_planned_for(self.sharding):
            return value
        return spread(value, self.sharding)

    def lay_out(self, layout: Any) -> None:
        """Gives the variable another layout, before anybody has looked at its value or after."""
        self.layout = layout
        if self.held is not None:
            self.held = self.placed(self.held)

    def whole(self, value: jax.Array) -> jax.Array:
        """The value as it is computed with; see `gathered`."""
        return gathered(value, self.layout)

    def forget_initializer(self) -> None:
        """What the variable holds now is what it begins with from here on."""
        self._initializer = None

    def _first_value(self) -> jax.Array:
        """The initializer's array; one in parts is made where it will lie, so that no device ever
        has all of it.
        """
        if self.layout is None:
            return first_array(self._initializer, self.shape, self.own_dtype)
        sharding = here(self.sharding)
        if sharding.is_fully_replicated:  # a program for each weight would only cost time
            return spread(first_array(self._initializer, self.shape, self.own_dtype), sharding)

        def make() -> jax.Array:
            return jnp.asarray(self._initializer(self.shape, dtype=self.own_dtype), self.own_dtype)

        return jax.jit(make, out_shardings=sharding)()

    def _begin(self) -> None:
        """Makes the first value, unless another thread does before, and may train with it already.

        Raises:
            ValueError: the initializer returns another shape.
        """
        with jax.ensure_compile_time_eval():
            first = self._first_value()
        if tuple(first.shape) != self.shape:
            wanted = f"an initializer that returns shape {self.shape}"
            received = f"shape {tuple(first.shape)} from {self._initializer}"
            raise ValueError(explain(f"Variable '{self.path}'", wanted, received))
        with BEGINNING:
            if self.held is None:
                self.held = first

    def own_value(self) -> jax.Array:
        """The array that this variable holds itself, made or pulled in when needed."""
        if self.held is None:
            self._begin()
        value = self.held
        # again where another thread's training borrowed it in between
        while isinstance(value, Borrowed):
            value.pull()
            value = self.held
        return value

    def store(self, value: Any) -> None:
        """Sets the value that the variable itself holds, whatever run is going on."""
        frame.own_write(self, value)

    def assign(self, value: Any) -> jax.Array:
        """Sets the value; its shape must stay. Returns the new value."""
        value = frame.read(value) if isinstance(value, Variable) else value
        if isinstance(value, np.ndarray):
            refuse_masked(value, self.path)
            value = fitted(value, self.path, self.own_dtype)
            if value.dtype.name == self.own_dtype:
                value = on_device(value)
        if not isinstance(value, jax.Array) and self.own_dtype == "bfloat16":
            value = jnp.asarray(value)  # numpy's lists know no bfloat16
        # numpy's array may be written to later
        make = jnp.asarray if isinstance(value, jax.Array) else jnp.array
        value = make(value, dtype=jax.dtypes.canonicalize_dtype(self.own_dtype))
        if tuple(value.shape) != tuple(self.shape):
            raise ValueError(
                f"A variable of shape {self.shape} can be assigned values of that shape alone. "
                f"Received: value.shape={tuple(value.shape)}. Target variable: {self.path}"
            )
        frame.write(self, value)
        return value

    def assign_add(self, value: Any) -> jax.Array:
        """Adds to the value. Returns the new value."""
        return self.assign(_ops("add")(frame.read(self), value))

    def assign_sub(self, value: Any) -> jax.Array:
        """Subtracts from the value. Returns the new value."""
        return self.assign(_ops("subtract")(frame.read(self), value))

    def numpy(self) -> np.ndarray:
        """The value as a numpy array."""
        return np.asarray(self.value)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.value, dtype=dtype)

    def __jax_array__(self) -> jax.Array:
        return self.value

    def __repr__(self) -> str:
        value = (
            f", value={np.asarray(self.held)}"
            if isinstance(self.held, jax.Array)
            and not isinstance(self.held, jax.core.Tracer)
            and not self.held.is_deleted()
            else ""
        )
        return f"<Variable path={self.path}, shape={tuple(self.shape)}, dtype={self.dtype}{value}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = object.__new__(type(self))
        memo[id(self)] = copy
        if isinstance(self.held, Borrowed):
            self.own_value()
        vars(copy).update(vars(self))
        return copy

    def __getstate__(self) -> dict[str, Any]:
        return {
            **vars(self),
            "held": None if self.held is None else np.asarray(self.own_value()),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self.held is not None:
            self.held = jnp.asarray(self.held)

    # ------------------------------------------------------------ arithmetic

    def __getitem__(self, index: Any) -> jax.Array:
        return self.value[index]

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[jax.Array]:
        return iter(self.value)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "A Keras Variable cannot be used as a boolean. Compare its `value`, or use "
            f"`jkeras.ops.where` and `jkeras.ops.cond`. Received: variable '{self.path}'"
        )

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __neg__(self) -> jax.Array:
        return -self.value

    def __pos__(self) -> jax.Array:
        return self.value

    def __abs__(self) -> jax.Array:
        return abs(self.value)

    def __invert__(self) -> jax.Array:
        return ~self.value

    def __round__(self, ndigits: int | None = None) -> jax.Array:
        return _ops("round")(self.value, ndigits or 0)

    __hash__ = object.__hash__  # __eq__ compares elements; as a key a variable is itself


def _add_operators() -> None:
    for short, name in OPERATORS.items():
        setattr(
            Variable, f"__{short}__", lambda self, other, name=name: _ops(name)(self.value, other)
        )
        if short not in ("eq", "ne", "lt", "le", "gt", "ge"):
            setattr(
                Variable,
                f"__r{short}__",
                lambda self, other, name=name: _ops(name)(other, self.value),
            )


_add_operators()
