"""Runs a program in Keras and in jkeras, and says where they differ."""

import dataclasses
import re
import tempfile
import types
import warnings
from typing import Any

import jax
import numpy as np

from tests.random_programs.program import Program

CLOSE, CLOSE_16 = 2e-3, 0.1  # relative to the largest number of an array; in 16 bits
# metrics that jump where a number of 16 bits is rounded the other way
COUNTING = re.compile("acc|precision|recall|auc|positives|f1|top_k", re.I)
OF_KERAS = (  # what Keras fails at and should not
    "Array has been deleted",  # after `fit` with averaged weights it shares arrays that it donates
    "Unsupported dtype float16",  # orthogonal kernels
    "Unsupported dtype bfloat16",
    "is not supported by dot_general on CPU",  # products in float16
    "requires TensorFlow",
    "name already exists",  # in a .h5 file, of two layers
    "Error when deserializing class 'Attention'",  # its score is a function there
    "Unknown layer: 'NotEqual'",  # masks in a .h5 file
    "'NoneType' object is not callable",  # averaged weights and a scaled loss
    "Could not interpret optimizer identifier: lamb",  # in a .h5 file
    "because it is not a KerasSaveable subclass",  # metrics of several outputs, in files
)


@dataclasses.dataclass
class Difference:
    """Where the two are not the same.

    Attributes:
        section: of the program.
        what: "differs", "refused here", or "refused by Keras".
        words: more of it.
    """

    section: int
    what: str
    words: str


@dataclasses.dataclass
class Found:
    """What a section gave, or the error that ended the program."""

    value: Any = None
    error: Exception | None = None


def ran(program: Program, library: types.ModuleType) -> list[Found]:
    """What each section of the program gave."""
    names: dict[str, Any] = {"keras": library, "np": np}
    results = []
    policy = library.config.dtype_policy().name
    library.utils.clear_session()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names["folder"] = folder
        for section in program.sections():
            names["found"] = None
            try:
                exec(compile(section, "<program>", "exec"), names)
                results.append(Found(plain(names["found"])))
            except Exception as error:  # whatever it says is compared
                results.append(Found(error=error))
                break
    library.config.set_dtype_policy(policy)
    return results


def plain(value: Any) -> Any:
    """With numpy arrays for arrays."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray | jax.Array | np.generic) or hasattr(value, "numpy"):
        return np.asarray(value)
    return value


def difference(program: Program) -> Difference | None:
    """The first one between Keras and jkeras; None: they agree."""
    import keras

    import jkeras

    theirs, ours = ran(program, keras), ran(program, jkeras)
    close = CLOSE_16 if "float16" in program.source() else CLOSE
    for section, (their, our) in enumerate(zip(theirs, ours, strict=False)):
        if their.error and our.error:
            return None
        if our.error:
            return Difference(section, "refused here", said(our.error))
        if their.error and any(words in str(their.error) for words in OF_KERAS):
            return None
        if their.error:
            return Difference(section, "refused by Keras", said(their.error))
        words = unlike(their.value, our.value, close, "")
        if words:
            return Difference(section, "differs", words)
        if is_lost(their.value):
            return None
    return None


def is_lost(value: Any) -> bool:
    """Whether a value of Keras has a number that is none: what follows is of no use."""
    leaves = jax.tree_util.tree_leaves(value)
    arrays = [np.asarray(leaf, "float64") for leaf in leaves if hasattr(leaf, "dtype")]
    numbers = [leaf for leaf in leaves if isinstance(leaf, float)]
    return not all(np.isfinite(each).all() for each in [*arrays, *numbers])


def said(error: Exception) -> str:
    """The class and the words of an error, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def unlike(their: Any, our: Any, close: float, path: str) -> str:
    """Where two values differ; nothing where they do not."""
    if isinstance(their, dict):
        if not isinstance(our, dict) or their.keys() != our.keys():
            return f"{path}: keys {list(their)} and {list(our) if isinstance(our, dict) else our}"
        keys = [key for key in their if close < CLOSE_16 or not COUNTING.search(str(key))]
        pairs = [(f"{path}.{key}", their[key], our[key]) for key in keys]
    elif isinstance(their, list):
        if not isinstance(our, list) or len(their) != len(our):
            return f"{path}: {str(their)[:80]} and {str(our)[:80]}"
        pairs = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(their, our, strict=True))]
    elif isinstance(their, np.ndarray | float | int) and not isinstance(their, bool):
        return unlike_numbers(np.asarray(their), our, close, path)
    else:
        return "" if str(their) == str(our) else f"{path}: {their!r} and {our!r}"[:300]
    return next(filter(None, (unlike(a, b, close, place) for place, a, b in pairs)), "")


def unlike_numbers(their: np.ndarray, our: Any, close: float, path: str) -> str:
    """Where two arrays differ by more than `close` times the largest of the one."""
    if not isinstance(our, np.ndarray | float | int):
        return f"{path}: {their} and {our}"[:200]
    our = np.asarray(our)
    if their.shape != our.shape or their.dtype != our.dtype:
        return f"{path}: {their.shape} {their.dtype} and {our.shape} {our.dtype}"
    if their.dtype.kind not in "fV" and str(their.dtype) != "bfloat16":
        return "" if (their == our).all() else f"{path}: {their} and {our}"[:200]
    one, other = np.asarray(their, "float64"), np.asarray(our, "float64")
    apart = (np.isfinite(one) != np.isfinite(other)).any()
    if apart and close < CLOSE_16:  # XLA rounds to 16 bits or not, as it fuses
        return f"{path}: finite at other places, {one.ravel()[:4]} and {other.ravel()[:4]}"
    one, other = (np.where(np.isfinite(each), each, 0) for each in (one, other))
    largest = max(np.abs(one).max(initial=0), 1e-3)
    most = np.abs(one - other).max(initial=0) / largest
    if most <= close:
        return ""
    return f"{path}: {most:.2g} apart, {one.ravel()[:4]} and {other.ravel()[:4]}"
