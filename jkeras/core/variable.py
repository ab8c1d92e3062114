"""Variables: named views of one array. Inside a traced call the frame holds the value, outside the variable does."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jkeras.core import frame
from jkeras.core.errors import explain
from jkeras.core.policy import is_float, standardize_dtype
from jkeras.core.registry import public
from jkeras.core.settings import auto_name, settings

AGGREGATIONS = (None, "none", "mean", "sum", "only_first_replica")


class Lent:
    """Stands in a variable for an array that a running `fit` owns; `pull` puts the arrays back into the variables."""

    def __init__(self, pull, lock):
        self.pull, self.lock = pull, lock


def values_of(variables):
    """The arrays that variables hold themselves, all of the same moment, also while another thread trains them."""
    while True:
        lock = next((v._value.lock for v in variables if isinstance(v._value, Lent)), None)
        if lock is not None:
            with lock:
                return [v.own_value() for v in variables]
        values = [v._value for v in variables]
        if not any(isinstance(value, Lent) for value in values):
            return [v.own_value() if value is None else value for v, value in zip(variables, values)]


@public("keras.Variable")
class Variable:
    """An array with a name that can be assigned.

    Args:
        initializer: an array, number or list: the first value; or a callable `(shape, dtype) -> array`, run when the
            value is first looked at.
        shape: needed with a callable.
        dtype: of the array; floatx by default.
        trainable: whether gradients reach it.
        name: default "variable", "variable_1", …

    >>> v = Variable([1.0, 2.0])
    >>> v.assign_add([1.0, 1.0]).shape
    (2,)
    >>> print(v * 2)
    [4. 6.]
    """

    def __init__(self, initializer, shape=None, dtype=None, trainable=True, autocast=True, aggregation="none",
                 synchronization="auto", name=None, layout=None, *, regularizer=None, constraint=None, overwrite=None):
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError("Argument `name` must be a string and cannot contain character `/`. "
                             f"Received: name={name} (of type {type(name)})")
        if aggregation not in AGGREGATIONS:
            raise ValueError(f"Invalid value for argument `aggregation`. Expected one of {AGGREGATIONS}. "
                             f"Received: aggregation={aggregation}")
        self.name = auto_name("variable") if name is None else name
        self.scope, self.trainable, self.autocast, self.layout = frame.scope_path(), bool(trainable), autocast, layout
        self.aggregation, self.synchronization = aggregation or "none", synchronization
        self.learnable = self.trainable  # whether it lives in `params`; `trainable` may be switched off later
        self.regularizer, self.constraint, self.overwrite_with_gradient = regularizer, constraint, bool(overwrite)
        self._initializer, self._value = None, None
        if callable(initializer) and not hasattr(initializer, "__array__"):
            if shape is None:
                raise ValueError("When creating a Variable from an initializer, the `shape` argument should be "
                                 f"specified. Received: initializer={initializer} and shape={shape}")
            self._initializer, self.dtype = initializer, standardize_dtype(dtype)
            self.shape = tuple(shape)
        else:
            self._hold(initializer, dtype)
        if settings.distribution is not None:
            self.layout = settings.distribution.get_variable_layout(self)
        if self._value is not None:
            self._value = self.placed(self._value)

    def _hold(self, value, dtype):
        value = getattr(value, "value", value) if isinstance(value, Variable) else value
        if dtype is None:
            kept = getattr(value, "dtype", None)
            dtype = kept if kept is not None else standardize_dtype(None)
        with jax.ensure_compile_time_eval():
            value = jnp.asarray(value, dtype=jax.dtypes.canonicalize_dtype(standardize_dtype(dtype)))
        self._value, self.shape, self.dtype = value, value.shape, value.dtype.name

    # ------------------------------------------------------------ the value

    @property
    def path(self):
        """The name with the names of the layers around it: "net/dense/kernel"."""
        return f"{self.scope}/{self.name}" if self.scope else self.name

    @property
    def value(self):
        """The array now; in the compute dtype while a layer of a mixed policy runs."""
        value = frame.read(self)
        dtype = frame.autocast_dtype() if self.autocast else None
        return self.whole(value.astype(dtype) if dtype and is_float(self.dtype) and value.dtype != dtype else value)

    @property
    def sharding(self):
        """How the array lies over devices, as JAX knows it; None: on one, as JAX likes it."""
        return getattr(self.layout, "backend_layout", self.layout)

    def placed(self, value):
        """The array, laid out as this variable's are."""
        return value if self.layout is None else jax.device_put(value, self.sharding)

    def whole(self, value):
        """The value as it is used in a compiled step: a part of it on each device that has a part of the batch is for
        rest alone, and is put together here; parts along other axes of the mesh stay."""
        distribution, sharding = settings.distribution, None if self.layout is None else self.sharding
        if distribution is None or not isinstance(sharding, NamedSharding) or not isinstance(value, jax.core.Tracer):
            return value
        kept = [None if axis == distribution.batch_dim_name else axis for axis in sharding.spec]
        if kept == list(sharding.spec):
            return value
        return jax.lax.with_sharding_constraint(value, NamedSharding(sharding.mesh, PartitionSpec(*kept)))

    def _first_value(self):
        """The initializer's array; made where it will lie, so that no device ever has all of it."""
        make = lambda: jnp.asarray(self._initializer(self.shape, dtype=self.dtype), dtype=self.dtype)  # noqa: E731
        return make() if self.layout is None else jax.jit(make, out_shardings=self.sharding)()

    def own_value(self):
        """The array that this variable holds itself, made or pulled in when needed."""
        if self._value is None:
            with jax.ensure_compile_time_eval():
                self._value = self._first_value()
            if tuple(self._value.shape) != self.shape:
                raise ValueError(explain(f"Variable '{self.path}'", f"an initializer that returns shape {self.shape}",
                                         f"shape {tuple(self._value.shape)} from {self._initializer}"))
        value = self._value
        while isinstance(value, Lent):  # again where another thread's training lent it in between
            value.pull()
            value = self._value
        return value

    def assign(self, value):
        """Sets the value; its shape must stay. Returns the variable."""
        value = jnp.asarray(getattr(value, "value", value) if isinstance(value, Variable) else value)
        if tuple(value.shape) != tuple(self.shape):
            raise ValueError("The shape of the target variable and the shape of the target value in `variable.assign` "
                             f"must match. variable.shape={self.shape}, Received: value.shape={tuple(value.shape)}. "
                             f"Target variable: {self.path}")
        frame.write(self, value.astype(self.dtype))
        return self

    def assign_add(self, value):
        """Adds to the value. Returns the variable."""
        return self.assign(frame.read(self) + jnp.asarray(value, dtype=self.dtype))

    def assign_sub(self, value):
        """Subtracts from the value. Returns the variable."""
        return self.assign(frame.read(self) - jnp.asarray(value, dtype=self.dtype))

    def numpy(self):
        """The value as a numpy array."""
        return np.asarray(self.value)

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self):
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value, dtype=dtype)

    def __jax_array__(self):
        return self.value

    def __repr__(self):
        value = f", value={np.asarray(self._value)}" if isinstance(self._value, jax.Array) and not isinstance(
            self._value, jax.core.Tracer) and not self._value.is_deleted() else ""
        return f"<Variable path={self.path}, shape={tuple(self.shape)}, dtype={self.dtype}{value}>"

    def __deepcopy__(self, memo):
        copy = object.__new__(type(self))
        memo[id(self)] = copy
        if isinstance(self._value, Lent):
            self.own_value()
        copy.__dict__.update(self.__dict__)
        return copy

    def __getstate__(self):
        return {**self.__dict__, "_value": None if self._value is None else np.asarray(self.own_value())}

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self._value is not None:
            self._value = jnp.asarray(self._value)

    # ------------------------------------------------------------ arithmetic

    def __getitem__(self, index):
        return self.value[index]

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        return iter(self.value)

    def __bool__(self):
        return bool(self.value)

    def __int__(self):
        return int(self.value)

    def __float__(self):
        return float(self.value)

    def __neg__(self):
        return -self.value

    def __pos__(self):
        return self.value

    def __abs__(self):
        return abs(self.value)

    def __invert__(self):
        return ~self.value

    __hash__ = object.__hash__  # __eq__ compares elements; as a key a variable is itself


def _binary(name):
    def method(self, other):
        from jkeras.core.graph import KerasTensor

        if isinstance(other, KerasTensor):
            return NotImplemented
        return getattr(self.value, name)(other.value if isinstance(other, Variable) else jnp.asarray(other)
                                         if isinstance(other, (np.ndarray, list)) else other)
    method.__name__ = name
    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor",
              "radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "rpow", "rmatmul", "rand", "ror", "rxor",
              "eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Variable, f"__{_name}__", _binary(f"__{_name}__"))
