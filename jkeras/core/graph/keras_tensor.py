"""Symbolic tensors, and structures of tensors.

A `KerasTensor` has a shape (None: unknown), a dtype and a history: which node made it. Calling a
layer or an op on one adds a node to the graph.
"""

import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeGuard

import jax
import numpy as np

from jkeras.core.names.dtypes import standardize_dtype
from jkeras.core.graph.host_numbers import fitted, on_device, refuse_masked
from jkeras.core.names.registry import _named, public
from jkeras.core.session.settings import auto_name
from jkeras.core.graph.sparse import is_sparse


@public("keras.KerasTensor")
class KerasTensor:
    """A symbolic tensor: stands for a value in a graph.

    Args:
        shape: tuple; None where the size is unknown.
        dtype: name of a dtype.

    >>> x = KerasTensor((None, 4))
    >>> (x + 1.0).shape
    (None, 4)
    """

    def __init__(
        self,
        shape: Sequence[int | None],
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise TypeError(f"KerasTensor got unexpected keyword arguments: {', '.join(kwargs)}")
        self._shape = standardize_shape(shape)
        self._dtype = standardize_dtype(dtype)
        if sparse and ragged:
            raise ValueError("KerasTensor cannot have `sparse=True` and `ragged=True` at once.")
        self._sparse, self._ragged, self.record_history = bool(sparse), bool(ragged), record_history
        self.name = name or auto_name("keras_tensor")
        self._keras_mask = None

    if typing.TYPE_CHECKING:
        # operators, which are set below from the table
        def __add__(self, other: Any) -> "KerasTensor": ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __add__
        __matmul__ = __rmatmul__ = __and__ = __rand__ = __or__ = __ror__ = __add__
        __xor__ = __rxor__ = __lt__ = __le__ = __gt__ = __ge__ = __add__

        def __neg__(self) -> "KerasTensor": ...

        __abs__ = __invert__ = __neg__
        __array__: None  # `np.asarray` raises

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The shape, None where unknown."""
        return self._shape

    @shape.setter
    def shape(self, value: Any) -> NoReturn:
        raise self._immutable("shape")

    @property
    def dtype(self) -> str:
        """The dtype's name."""
        return self._dtype

    @dtype.setter
    def dtype(self, value: Any) -> NoReturn:
        raise self._immutable("dtype")

    @property
    def sparse(self) -> bool:
        """Whether the values will be sparse arrays."""
        return self._sparse

    @sparse.setter
    def sparse(self, value: Any) -> NoReturn:
        raise self._immutable("sparse")

    @property
    def ragged(self) -> bool:
        """Whether rows may differ in length."""
        return self._ragged

    @ragged.setter
    def ragged(self, value: Any) -> NoReturn:
        raise self._immutable("ragged")

    def _immutable(self, name: str) -> AttributeError:
        return AttributeError(
            f"The `{name}` attribute of KerasTensor is immutable. Make another KerasTensor."
        )

    @property
    def size(self) -> int | None:
        """The number of elements; None if a size is unknown."""
        return None if None in self._shape else int(np.prod(self._shape))

    @property
    def T(self) -> "KerasTensor":
        """The transposed tensor."""
        return _ops("transpose")(self)

    def reshape(self, *shape: Any) -> "KerasTensor":
        """The tensor in another shape."""
        return _ops("reshape")(
            self, shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        )

    def squeeze(self, axis: int | Sequence[int] | None = None) -> "KerasTensor":
        """The tensor without axes of length 1."""
        return _ops("squeeze")(self, axis)

    def __getitem__(self, key: Any) -> "KerasTensor":
        return _ops("get_item")(self, key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise ValueError(
            "A KerasTensor stands for an array whose shape and dtype are known: it doesn't "
            "have any actual numerical value. numpy functions cannot be used on it; use "
            "`jkeras.ops` in a functional model."
        )

    @property
    # a property: JAX asks whether there is one and would then give its own message
    def __jax_array__(self) -> NoReturn:
        raise ValueError(
            "A KerasTensor cannot be used as input to a JAX function. It is a symbolic "
            "placeholder; use jkeras layers and `jkeras.ops`, or put the JAX code into the "
            "`call` of a layer."
        )

    def __bool__(self) -> NoReturn:
        raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")

    def __int__(self) -> NoReturn:
        raise ValueError(f"{self!r} is symbolic: it has no value that could become an integer.")

    def __float__(self) -> NoReturn:
        raise ValueError(f"{self!r} is symbolic: it has no value that could become a number.")

    # for a checker it may: the outputs of a layer that has several look like one to it
    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(
            "A KerasTensor has no elements, so that going through them is not supported. Use "
            "`jkeras.ops.unstack`."
        )

    def __round__(self, ndigits: int | None = None) -> "KerasTensor":
        return _ops("round")(self, ndigits or 0)

    # of two symbols it says whether they are one, as lists of tensors need it
    def __eq__(self, other: object) -> Any:
        if isinstance(other, KerasTensor):
            return self is other
        if hasattr(other, "__array__") or isinstance(other, (int, float)):
            return _ops("equal")(self, other)
        return self is other

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self.sparse}, "
            f"ragged={self.ragged}, name={self.name}>"
        )

    __hash__ = object.__hash__


def _ops(name: str) -> Callable[..., Any]:
    return _named[f"keras.ops.{name}"]  # ops come later, and register themselves


OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}


def _add_operators() -> None:
    for short, name in OPERATORS.items():
        if short == "eq":
            continue
        setattr(KerasTensor, f"__{short}__", lambda self, other, name=name: _ops(name)(self, other))
        if short not in ("ne", "lt", "le", "gt", "ge"):
            setattr(
                KerasTensor, f"__r{short}__", lambda self, other, name=name: _ops(name)(other, self)
            )
    for short, name in {"neg": "negative", "abs": "absolute", "invert": "logical_not"}.items():
        setattr(KerasTensor, f"__{short}__", lambda self, name=name: _ops(name)(self))


_add_operators()


def standardize_shape(shape: Any) -> tuple[int | None, ...]:
    """A shape as a tuple of ints and None, checked."""
    if shape is None:
        raise ValueError("Undefined shapes are not supported.")
    if isinstance(shape, int):
        raise ValueError(f"Cannot convert '{shape}' to a shape: write ({shape},).")
    standard = []
    for size in shape:
        if size is None:
            standard.append(None)
        elif hasattr(size, "__index__"):
            standard.append(int(size))
        else:
            raise ValueError(
                f"Cannot convert '{shape}' to a shape. Found invalid dimension '{size}' of type "
                f"{type(size).__name__}: expected integers and None."
            )
    shape = tuple(standard)
    if min(filter(None, shape), default=0) < 0:
        raise ValueError(
            f"Cannot convert '{shape}' to a shape. Negative dimensions are not allowed."
        )
    return shape


def is_tensor(x: object) -> TypeGuard[jax.Array]:
    """Whether x is an array of JAX (traced or not)."""
    return isinstance(x, jax.Array)


def is_symbolic(x: object) -> TypeGuard[KerasTensor]:
    """Whether x is a KerasTensor.

    Args:
        x: any object.
    Returns:
        bool.

    >>> is_symbolic(KerasTensor((None, 2))), is_symbolic(jax.numpy.ones(2))
    (True, False)
    """
    return isinstance(x, KerasTensor)


def any_symbolic(*structures: Any) -> bool:
    """Whether a KerasTensor stands anywhere in the structures."""
    for x in structures:
        if isinstance(x, KerasTensor):
            return True
        if isinstance(x, (list, tuple)) and any_symbolic(*x):
            return True
        if isinstance(x, dict) and any_symbolic(*x.values()):
            return True
    return False


def one_or_list(values: Sequence[Any]) -> Any:
    """The one value of a list; of several the list.

    >>> one_or_list([1]), one_or_list([1, 2])
    (1, [1, 2])
    """
    return values[0] if len(values) == 1 else list(values)


DEEPEST = 64  # levels of containers in each other


def refuse_cycles(structure: Any, what: str = "inputs") -> None:
    """Raises ValueError for a container that contains itself, or is nested beyond all use.

    JAX's own error for these leaves Python without a level of recursion, for the whole program.

    >>> refuse_cycles({"a": [1, (2, 3)]})
    """
    _refuse_cycles(structure, what, ())


def _refuse_cycles(structure: Any, what: str, around: tuple[Any, ...]) -> None:
    if not isinstance(structure, (list, tuple, dict)):
        return
    if len(around) == DEEPEST or any(structure is one for one in around):
        raise ValueError(
            f"`{what}` contains itself, or is nested deeper than {DEEPEST} levels. Expected arrays "
            "in lists, tuples or dicts."
        )
    items = structure.values() if isinstance(structure, dict) else structure
    # rows of numbers are many: their types are few
    if any(issubclass(kind, (list, tuple, dict)) for kind in set(map(type, items))):
        for item in items:
            _refuse_cycles(item, what, (*around, structure))


def flatten(structure: Any) -> list[Any]:
    """All leaves of a structure, None, sparse arrays and everything else included, in Keras's
    order.
    """
    if isinstance(structure, (KerasTensor, jax.Array, np.ndarray)):
        return [structure]
    return jax.tree_util.tree_leaves(structure, is_leaf=is_leaf)


def is_leaf(x: object) -> bool:
    """Whether x is no structure although JAX takes it for one: None, a sparse array."""
    return x is None or is_sparse(x)


def alike(sequence: Any, items: Iterable[Any]) -> Any:
    """Items as a list, a tuple or a named tuple, as the sequence is one."""
    return type(sequence)(*items) if hasattr(sequence, "_fields") else type(sequence)(items)


def map_tensors(function: Callable[[KerasTensor], Any], structure: Any) -> Any:
    """The structure with `function` applied to the KerasTensors in it; dicts keep their order."""
    if isinstance(structure, KerasTensor):
        return function(structure)
    if type(structure) is dict:
        return {k: map_tensors(function, v) for k, v in structure.items()}
    if type(structure) in (list, tuple):
        return type(structure)([map_tensors(function, v) for v in structure])
    if isinstance(structure, (list, tuple, dict)):  # named tuples and the like
        return jax.tree_util.tree_map(
            lambda v: function(v) if isinstance(v, KerasTensor) else v,
            structure,
            is_leaf=lambda v: v is None,
        )
    return structure


def as_tensor(x: Any, dtype: str | None = None, what: str = "inputs") -> Any:
    """Arrays of numpy, tensors and tables of other libraries and variables as arrays of JAX; all
    else as it is.

    Args:
        dtype: of what takes the numbers, see `host_numbers.fitted`; None: unknown.
        what: it is called in messages.

    Raises:
        ValueError: a number that a device cannot hold.
    """
    if isinstance(x, (jax.Array, KerasTensor, type)):
        return x
    if hasattr(x, "own_value"):
        return x.value
    if not hasattr(x, "__array__"):
        return x
    refuse_masked(x, what)
    return on_device(fitted(np.asarray(x), what, dtype))
