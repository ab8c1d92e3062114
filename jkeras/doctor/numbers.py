"""Whether a device computes what it should: operations beside float64 of numpy, by dtype."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import ops
from jkeras.doctor.machine import in_a_line

# by how much an operation may be off, in parts of its largest result: a few roundings of its dtype
LIMITS = {"float32": 2e-5, "bfloat16": 3e-2, "float16": 4e-3}
ROWS, WIDTH = 64, 256


class Case(NamedTuple):
    """An operation and what it should give.

    Attributes:
        run: of arrays of the dtype that is looked at.
        expected: of the same numbers in float64.
        shapes: of its arguments.
    """

    run: Callable[..., jax.Array]
    expected: Callable[..., np.ndarray]
    shapes: tuple[tuple[int, ...], ...]


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _normalized(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def _attention(query: np.ndarray, key: np.ndarray, value: np.ndarray) -> np.ndarray:
    scores = np.einsum("bthd,bshd->bhts", query, key) / math.sqrt(query.shape[-1])
    return np.einsum("bhts,bshd->bthd", _softmax(scores), value)


def _convolution(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows, kernel)


HEADS = (2, 128, 4, 64)
CASES = {
    "matmul": Case(ops.matmul, np.matmul, ((ROWS, WIDTH), (WIDTH, WIDTH))),
    "conv": Case(ops.conv, _convolution, ((2, 12, 12, 8), (3, 3, 8, 16))),
    "softmax": Case(ops.softmax, _softmax, ((ROWS, WIDTH),)),
    "layer_normalization": Case(
        lambda x: ops.layer_normalization(x, epsilon=1e-3), _normalized, ((ROWS, WIDTH),)
    ),
    "gelu": Case(lambda x: ops.gelu(x, approximate=False), _gelu, ((ROWS, WIDTH),)),
    "sum": Case(lambda x: ops.sum(x, axis=0), lambda x: x.sum(0), ((4096, 8),)),
    "attention": Case(ops.dot_product_attention, _attention, (HEADS,) * 3),
}


class Number(NamedTuple):
    """How far an operation is off.

    Attributes:
        error: its largest difference, in parts of the largest result; None: it cannot be run.
        limit: what it may be.
        trouble: why it cannot be run; "": it can.
    """

    operation: str
    dtype: str
    error: float | None
    limit: float
    trouble: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether it is as it should be."""
        return self.error is not None and self.error <= self.limit


def numbers() -> list[Number]:
    """All operations in all dtypes, on the default device; products at their highest precision."""
    with jax.default_matmul_precision("highest"):
        return [number_of(name, dtype) for name in CASES for dtype in LIMITS]


def number_of(name: str, dtype: str) -> Number:
    """How far an operation is off in a dtype; another error than a wrong result is told, too, since
    the rest of a report is of use without it.

    >>> number_of("softmax", "float32").is_fine
    True
    """
    case, rng = CASES[name], np.random.default_rng(0)
    given = [jnp.asarray(rng.normal(size=shape), dtype) for shape in case.shapes]
    try:
        found = np.asarray(jax.jit(case.run)(*given), "float64")
    except Exception as error:  # of a compiler, a driver, a device
        return Number(name, dtype, None, LIMITS[dtype], in_a_line(error))
    expected = case.expected(*(np.asarray(value, "float64") for value in given))
    error = float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
    return Number(name, dtype, error, LIMITS[dtype])


def as_json(number: Number) -> dict[str, Any]:
    """A number as JSON data."""
    return {**number._asdict(), "is_fine": number.is_fine}
