"""TensorFlow itself with jkeras's functions before its own: what `import tensorflow` gives a
program for Keras 2 where TensorFlow is installed.

A function that both have goes by its arguments: arrays and symbolic tensors of jkeras's, and all
within a model or under a tape, are computed by JAX; anything else, the functions of `tf.data` among
it, by TensorFlow.
"""

import functools
import importlib.machinery
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import jkeras
from jkeras.core.errors import explain
from jkeras.core.graph.keras_tensor import is_symbolic
from jkeras.core.system.traces import trace_state

NAME = "tensorflow"
# modules in which both have functions
SHARED = ("math", "nn", "random", "image", "linalg", "compat", "v1", "test")
# what is jkeras's whatever the arguments: it belongs to models and their training
OURS = (
    *("keras", "GradientTape", "Variable", "function", "device", "name_scope", "Session"),
    *("ConfigProto", "GPUOptions", "set_random_seed", "reset_default_graph", "print"),
    *("disable_eager_execution", "disable_v2_behavior", "enable_eager_execution", "set_seed"),
    *("is_gpu_available", "gpu_device_name"),
)


# operators of two tensors
OPERATORS = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"),
    *("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "rpow", "rmatmul"),
    *("lt", "le", "gt", "ge"),
)


def find_tensorflow() -> importlib.machinery.ModuleSpec | None:
    """The spec of TensorFlow itself; None where it is not installed."""
    return importlib.machinery.PathFinder.find_spec(NAME)


class Beside(types.ModuleType):
    """A module of TensorFlow's with one of the stand-in before it.

    Args:
        ours: the module of the stand-in.
        theirs: that of TensorFlow; None until it is loaded.
    """

    def __init__(self, name: str, ours: types.ModuleType, theirs: Any = None) -> None:
        super().__init__(name)
        self._ours, self._theirs = ours, theirs

    def put_before(self, theirs: types.ModuleType) -> None:
        """Stands for a module that is loaded now."""
        self._theirs = self.__wrapped__ = theirs
        self.__path__, self.__version__ = theirs.__path__, theirs.__version__

    def __getattr__(self, name: str) -> Any:
        theirs = vars(self)["_theirs"]
        if name.startswith("__") or theirs is None:
            return getattr(theirs, name)
        ours = vars(vars(self)["_ours"])
        value = self._chosen(name, ours.get(name), theirs)
        setattr(self, name, value)
        return value

    def _chosen(self, name: str, own: Any, theirs: Any) -> Any:
        """What a name is: of the stand-in, of TensorFlow, or of both by arguments."""
        is_ours = name in OURS or not hasattr(theirs, name)
        if own is not None and is_ours:
            return own
        value = getattr(theirs, name)
        if name in SHARED and own is not None:
            return Beside(f"{self.__name__}.{name}", own, value)
        if not callable(value) or inspect.isclass(value):
            return value
        return by_arguments(f"{self.__name__}.{name}", own, value)

    def __dir__(self):
        return dir(vars(self)["_theirs"])


def by_arguments(name: str, own: Callable | None, theirs: Callable) -> Callable:
    """A function that both have, or TensorFlow alone, by its arguments."""

    @functools.wraps(theirs)
    def function(*args: Any, **kwargs: Any) -> Any:
        tf = sys.modules[NAME].__wrapped__
        leaves = jax.tree_util.tree_leaves((args, kwargs), is_leaf=is_of_jkeras)
        is_ours = any(map(is_of_jkeras, leaves)) or is_tracing()
        if not is_ours or not tf.executing_eagerly():
            return theirs(*args, **kwargs)
        if own is not None:
            return own(*_for_jax(tf, args), **_for_jax(tf, kwargs))
        if is_tracing() or any(map(is_of_model, leaves)):
            raise NotImplementedError(
                explain(
                    name,
                    "tensors of TensorFlow's: jkeras has no such function",
                    f"{_shown(next(filter(is_of_jkeras, leaves), None))} within a model or a tape",
                    "write it with keras.ops or jax.numpy",
                )
            )
        return theirs(*_for_tensorflow(args), **_for_tensorflow(kwargs))

    return function


def is_of_jkeras(x: Any) -> bool:
    """Whether something is an array of JAX's, or a symbolic tensor or variable of jkeras's."""
    return isinstance(x, (jax.Array, jkeras.Variable)) or is_symbolic(x)


def is_of_model(x: Any) -> bool:
    """Whether something is known only while a model computes."""
    return isinstance(x, jax.core.Tracer) or is_symbolic(x)


OUTSIDE = trace_state()


def is_tracing() -> bool:
    """Whether a model or a tape is at work: JAX traces."""
    return trace_state() != OUTSIDE


def _for_jax(tf: Any, arguments: Any) -> Any:
    """Arguments with arrays in the place of TensorFlow's tensors, and names for its dtypes."""

    def converted(x: Any) -> Any:
        if isinstance(x, (tf.Tensor, tf.Variable)):
            return np.asarray(x)
        return getattr(x, "name", x) if isinstance(x, tf.DType) else x

    return jax.tree_util.tree_map(converted, arguments, is_leaf=is_of_jkeras)


def _for_tensorflow(arguments: Any) -> Any:
    """Arguments with numpy's arrays in the place of JAX's."""

    def converted(x: Any) -> Any:
        return np.asarray(x) if isinstance(x, (jax.Array, jkeras.Variable)) else x

    return jax.tree_util.tree_map(converted, arguments, is_leaf=is_of_jkeras)


def _shown(x: Any) -> str:
    """An array in a message."""
    return f"an array of shape {tuple(getattr(x, 'shape', ()))}"


def _joined(name: str, theirs: Callable) -> Callable:
    """An operator of TensorFlow's tensors, which JAX computes where it has to be differentiated."""

    @functools.wraps(theirs)
    def operator(tensor: Any, other: Any) -> Any:
        is_within = isinstance(other, jax.Array) and is_tracing()
        if is_within or is_of_model(other):
            return getattr(jax.numpy.asarray(np.asarray(tensor)), name)(other)
        return theirs(tensor, other)

    return operator


def _join_tensors(tf: Any) -> None:
    """Lets tensors and arrays meet: with `tensor - array` JAX computes where a model or a tape is
    at work, which would lose its gradient otherwise, and TensorFlow elsewhere.
    """

    def as_tensor(value: Any, dtype: Any = None, name: Any = None, as_ref: bool = False) -> Any:
        if is_tracing():
            raise TypeError(
                explain(
                    "A function of TensorFlow",
                    "tensors of its own: it cannot be differentiated with the model",
                    f"{_shown(value)} within a model or a tape",
                    "write it with keras.ops or jax.numpy",
                )
            )
        return tf.constant(np.asarray(value), dtype=dtype)

    tf.register_tensor_conversion_function(type(jax.numpy.zeros(())), as_tensor, priority=0)
    for name in OPERATORS:
        method = f"__{name}__"
        setattr(tf.Tensor, method, _joined(method, getattr(tf.Tensor, method)))


def load(module: Beside, spec: Any) -> None:
    """Loads TensorFlow itself, and puts it behind a module that stands for it.

    Args:
        module: the `Beside` that programs get.
        spec: what `find_tensorflow` gave.
    """
    real = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = real
    try:
        spec.loader.exec_module(real)
    except BaseException:
        del sys.modules[NAME]
        raise
    module.put_before(real)
    sys.modules[NAME] = module
    _join_tensors(real)
