"""What libraries take from inside Keras and jkeras has no use for itself: small functions with the
arguments of Keras's, loaded when a library takes one.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import jax
import numpy as np

from jkeras import saving
from jkeras.core.errors import explain, suggestion
from jkeras.core.graph.keras_tensor import any_symbolic
from jkeras.core.weights.rng import global_generator
from jkeras.core.weights.rng import SeedGenerator
from jkeras.training.data.weights import class_weights

Decorated = TypeVar("Decorated", bound=Callable)


# of keras.src.backend.jax.core
SUPPORTS_SPARSE_TENSORS, SUPPORTS_RAGGED_TENSORS, SUPPORTS_COMPLEX_DTYPES = True, False, True
IS_THREAD_SAFE = True

# ---------------------------------------------------------------- decorators


class keras_export:  # noqa: N801 - Keras's name
    """Of keras.src.api_export: marks what Keras gives publicly; here it changes nothing.

    >>> keras_export("keras.layers.Mine")(len) is len
    True
    """

    def __init__(self, path: str | Iterable[str]) -> None:
        self.path = path

    def __call__(self, thing: Decorated) -> Decorated:
        return thing


def no_automatic_dependency_tracking(function: Decorated) -> Decorated:
    """Of keras.src.utils.tracking: jkeras tracks by attribute alone."""
    return function


def default(method: Decorated) -> Decorated:
    """Of keras.src.utils.python_utils: marks a method that subclasses may leave as it is."""
    setattr(method, "_is_default", True)  # noqa: B010 - Keras's name for it
    return method


def is_default(method: Callable) -> bool:
    """Whether a method is marked by `default`."""
    return getattr(method, "_is_default", False)


# ---------------------------------------------------------------- arguments


def standardize_tuple(
    value: int | Iterable[int], n: int, name: str, allow_zero: bool = False
) -> tuple[int, ...]:
    """Of keras.src.utils.argument_validation: n integers from one, or from n of them.

    Raises:
        ValueError: not n of them, no integers, or too small ones.

    >>> standardize_tuple(3, 2, "kernel_size"), standardize_tuple([1, 2], 2, "strides")
    ((3, 3), (1, 2))
    """
    values = _as_tuple(value, n, name)
    least = int(not allow_zero)
    are_right = all(isinstance(v, (int, np.integer)) and v >= least for v in values)
    if len(values) != n or not are_right:
        raise ValueError(explain(name, f"{n} integers of {least} or more, or one", f"{value}"))
    return tuple(int(v) for v in values)


def _as_tuple(value: Any, n: int, name: str) -> tuple:
    if isinstance(value, int):
        return (value,) * n
    try:
        return tuple(value)
    except TypeError:
        raise ValueError(explain(name, f"{n} integers, or one", f"{value!r}")) from None


def standardize_padding(value: str, allow_causal: bool = False) -> str:
    """Of keras.src.utils.argument_validation: "valid", "same" or "causal" in small letters.

    >>> standardize_padding("SAME")
    'same'
    """
    known = ("valid", "same", "causal")[: 2 + allow_causal]
    validate_string_arg(str(value).lower(), known, "layer", "padding")
    return value.lower()


def validate_string_arg(
    value: Any,
    allowable_strings: Iterable[str],
    caller_name: str,
    arg_name: str,
    allow_none: bool = False,
    allow_callables: bool = False,
) -> None:
    """Of keras.src.utils.argument_validation: checks a value that has to be one of some strings.

    Raises:
        ValueError: it is not one of the strings.
    """
    known = tuple(allowable_strings)
    is_none = value is None and allow_none
    is_function = callable(value) and allow_callables
    if is_none or is_function or value in known:
        return
    raise ValueError(
        explain(f"{caller_name}({arg_name}=)", f"one of {known}", f"{value!r}")
        + suggestion(str(value), known)
    )


def any_symbolic_tensors(args: Any = None, kwargs: Any = None) -> bool:
    """Of keras.src.backend.common.keras_tensor: whether a KerasTensor is among arguments."""
    return any_symbolic(args or (), kwargs or {})


# ---------------------------------------------------------------- numbers and texts


def dtype_size(dtype: str) -> int:
    """Of keras.src.utils.dtype_utils: the bits of one number.

    >>> dtype_size("bfloat16"), dtype_size("bool")
    (16, 1)
    """
    bits = {"bool": 1}
    return bits.get(dtype) or jax.numpy.dtype(dtype).itemsize * 8


def pythonify_logs(logs: dict | None) -> dict:
    """Of keras.src.utils.python_utils: logs as numbers of Python's, in the order of their names.

    >>> pythonify_logs({"loss": np.float32(0.5), "accuracy": 1.0})
    {'accuracy': 1.0, 'loss': 0.5}
    """
    result: dict = {}
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, dict):
            result |= pythonify_logs(value)
            continue
        try:
            result[name] = float(value)
        except (TypeError, ValueError):  # what no number is made of stays
            result[name] = value
    return result


def to_list(x: Any) -> list:
    """Of keras.src.utils.python_utils: x, in a list where it is none."""
    return x if isinstance(x, list) else [x]


def print_msg(message: str, line_break: bool = True) -> None:
    """Of keras.src.utils.io_utils: a text on the standard output."""
    print(message, end="\n" * line_break, flush=True)


def draw_seed(seed: Any) -> jax.Array:
    """Of keras.src.random.seed_generator: the two numbers that one draw starts from."""
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        return global_generator().next()
    return jax.numpy.array([seed, 0], "uint32")


def make_default_seed() -> int:
    """Of keras.src.random.seed_generator: a number from Python's `random`."""
    return importlib.import_module("random").randint(1, int(1e9))


def class_weight_to_sample_weights(y: Any, class_weight: dict) -> Any:
    """Of keras.src.trainers.data_adapters.data_adapter_utils."""
    return class_weights(y, None, class_weight)


# ---------------------------------------------------------------- files


def save_model(model: Any, filepath: Any, weights_format: str = "h5", zipped: bool = True) -> None:
    """Of keras.src.saving.saving_lib: a `.keras` file, or one in an object open for writing."""
    if weights_format != "h5":
        expected = "weights in HDF5, as jkeras writes them"
        raise ValueError(explain("save_model", expected, f"weights_format={weights_format!r}"))
    saving.save_model(model, _path_or_file(filepath), zipped=zipped)


def load_model(
    filepath: Any, custom_objects: dict | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Of keras.src.saving.saving_lib: a model from a `.keras` file, or from an object."""
    path = _path_or_file(filepath)
    return saving.load_model(
        path, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode
    )


def save_weights_only(model: Any, filepath: Any, max_shard_size: Any = None) -> None:
    """Of keras.src.saving.saving_lib: a file of weights."""
    model.save_weights(filepath, max_shard_size=max_shard_size)


def load_weights_only(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Of keras.src.saving.saving_lib: the weights of a file."""
    model.load_weights(filepath, skip_mismatch=skip_mismatch)


def _path_or_file(filepath: Any) -> Any:
    is_file = hasattr(filepath, "read") or hasattr(filepath, "write")
    return filepath if is_file else str(filepath)


# ---------------------------------------------------------------- other libraries


def in_grain_data_pipeline() -> bool:
    """Of keras.src.utils.backend_utils: jkeras looks at no stack."""
    return False


def in_tf_graph() -> bool:
    """Of keras.src.utils.backend_utils: whether a function of `tf.data` is being traced."""
    tf = sys.modules.get("tensorflow")
    is_eager = getattr(tf, "executing_eagerly", None)
    return is_eager is not None and not is_eager()


class LazyModule:
    """Of keras.src.utils.module_utils: a module that is imported when something of it is used.

    >>> LazyModule("math").sqrt(4.0)
    2.0
    """

    def __init__(self, name: str, pip_name: str | None = None, import_error_msg: str | None = None):
        self._name, self._pip_name = name, pip_name or name
        self._message = import_error_msg

    @property
    def available(self) -> bool:
        """Whether it is installed."""
        return importlib.util.find_spec(self._name) is not None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            module = importlib.import_module(self._name)
        except ImportError:
            message = f"This needs {self._name}: `pip install {self._pip_name}`."
            raise ImportError(self._message or message) from None
        return getattr(module, name)

    def __repr__(self) -> str:
        return f"LazyModule({os.fspath(self._name)})"


grain, h5py = LazyModule("grain"), LazyModule("h5py")
scipy, tensorflow = LazyModule("scipy"), LazyModule("tensorflow")
