"""Layers that compute on the host with numpy and plain Python, since they look at texts or tables
of tokens.
"""

import os
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.graph import keras_tensor
from jkeras.core.errors import check_choice, explain, place_of, readable, suggestion, violated
from jkeras.kernel.valid_rows import row_by_row
from jkeras.layers.base import DataLayer
from jkeras.ops import multi_hot, one_hot
from jkeras.core.layer import Layer
from jkeras.core.run.context import Context
from jkeras.core.weights.types import Structure

OUTPUT_MODES = ("int", "one_hot", "multi_hot", "count")


class HostLayer(DataLayer, computes_in_float=False, takes_ids=True):
    """Base of layers that run on the host: they take texts (arrays, lists) and numbers.

    A subclass defines `indices(inputs)`, from numpy to numpy, `rows(indices)`, what is made of them
    on the device, and `compute_output_spec`. Inside `jax.jit` numbers are handed to the host by a
    callback; texts cannot get there.
    """

    runs_on_host = True

    def __post_init__(self) -> None:
        self.built = True

    def _convert(self, x: np.ndarray | str | int) -> np.ndarray | str | int:
        return x

    def indices(self, inputs: Any) -> jax.Array:
        """The numbers for arrays of numpy or lists, one for each element of the (first) input."""
        raise NotImplementedError

    def rows(self, indices) -> Any:
        """The outputs for the numbers."""
        return indices

    def forward(self, w: Mapping[str, Any], inputs: Any, ctx: Context) -> Structure:
        leaves = keras_tensor.flatten(inputs)
        if not any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return self.rows(on_device(self.indices(jax.tree_util.tree_map(on_host, inputs))))
        result = jax.ShapeDtypeStruct(leaves[0].shape, "int32")

        def looked_up(values: Any) -> Any:
            return np.asarray(self.indices(jax.tree_util.tree_map(np.asarray, values)), "int32")

        def called(inputs: Any) -> Any:
            return jax.pure_callback(looked_up, result, inputs, vmap_method="sequential")

        arrays = jax.tree_util.tree_map(jnp.asarray, inputs)
        return self.rows(row_by_row(called, arrays))


def on_host(x: Any) -> Any:
    """Arrays of JAX as numpy arrays; everything else as it is."""
    if isinstance(x, jax.Array):
        return np.asarray(x)
    return x


def on_device(x: Any) -> Any:
    """Numbers as arrays of JAX; texts as they are."""
    if isinstance(x, np.ndarray) and x.dtype.kind in "OSU":
        return x
    return jnp.asarray(x)


def texts(inputs: Any, encoding: str = "utf-8") -> np.ndarray:
    """Texts in any form as an array of `str` objects.

    >>> texts([b"a", "b"]).tolist(), texts(np.array([["x"]])).shape
    (['a', 'b'], (1, 1))
    """
    array = inputs
    if not isinstance(inputs, np.ndarray):
        array = np.array(inputs, dtype=object)
    return _as_texts([_text(v, encoding) for v in array.ravel().tolist()], array.shape)


def _text(value: Any, encoding: str) -> str:
    if isinstance(value, bytes):
        return value.decode(encoding)
    return str(value)


def texts_alone(
    inputs: list[Any] | np.ndarray, encoding: str, where: str, also: tuple[Any, ...] = ()
) -> np.ndarray:
    """As `texts`, of texts and bytes alone: a number or None is no text that was meant.

    Args:
        where: the layer, in words.
        also: types of which a text is made too.

    Raises:
        TypeError: there is something else.
        ValueError: bytes are no text in this encoding.
    """
    array = inputs
    if not isinstance(inputs, np.ndarray):
        array = np.array(inputs, dtype=object)
    flat = array.ravel().tolist()
    if set(map(type, flat)) <= {str}:
        return _as_texts(flat, array.shape)
    for value in flat:
        if not isinstance(value, (str, bytes, *also)):
            raise TypeError(
                explain(
                    where,
                    "texts, or bytes",
                    f"{readable(repr(value), 100)} (of type {type(value).__name__})",
                    "make texts of numbers with `str` (or use `IntegerLookup`), and put a text, as "
                    "'', where there is None or NaN",
                )
            )
    try:
        return _as_texts([_text(value, encoding) for value in flat], array.shape)
    except UnicodeDecodeError as error:
        raise ValueError(
            explain(
                where,
                f"bytes that are texts in {encoding}",
                f"{readable(repr(error.object), 100)} ({error.reason})",
                "give the right `encoding`",
            )
        ) from None


def _as_texts(flat: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(shape)


def read_lines(path: Any, encoding: str, where: str) -> Any:
    """The text of a file of lines, without a mark of the byte order at its beginning.

    Args:
        where: the layer, in words.

    Raises:
        ValueError: it is no text in this encoding, or has NUL in it, as binary files do.
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"{error.reason} at byte {error.start}, in line {line}"
    else:
        if "\0" not in text:
            return text.replace("\r\n", "\n").replace("\r", "\n")
        line = text.count("\n", 0, text.index("\0")) + 1
        problem = f"a NUL, as binary files have them, in line {line}"
    raise ValueError(
        explain(
            where,
            f"a text file in {encoding} with one token in each line",
            f"{os.fsdecode(path)}: {problem}",
            "write it in UTF-8, or give its `encoding`",
        )
    )


def check_output_mode(
    layer: Layer,
    modes: tuple[str, ...] = OUTPUT_MODES,
    rule: str | None = None,
    sparse: bool = False,
) -> None:
    """Raises ValueError for an output mode that a layer does not have, or a sparse one that cannot
    be.

    Args:
        rule: words for a mode that the layer does not have.
        sparse: whether the layer can give sparse rows.
    """
    mode = layer.output_mode
    if rule is not None and mode not in modes:
        raise ValueError(
            violated(
                place_of(layer), f"{rule}: {mode}", f"output_mode={mode!r}", f"use one of {modes}"
            )
            + suggestion(mode, modes)
        )
    check_choice("output_mode", mode, modes, place_of(layer))
    if layer.sparse and mode == "int":
        raise ValueError(
            violated(
                place_of(layer),
                "`sparse` may only be true if `output_mode` is `'one_hot'`, `'multi_hot'` or "
                "`'count'`",
                "sparse=True and output_mode='int'",
            )
        )
    if layer.sparse and not sparse:
        raise ValueError(
            explain(
                place_of(layer),
                "sparse=False",
                "sparse=True",
                "use the dense output; JAX has no sparse tensors that layers could go on with",
            )
        )


def encoded(
    indices: jax.Array,
    output_mode: str,
    depth: int,
    dtype: Any,
    weights: Any = None,
    sparse: bool = False,
) -> jax.Array:
    """Numbers below `depth` as they are ("int"), each as a row ("one_hot"), or each sample as a
    row.

    Args:
        output_mode: "multi_hot" marks which numbers are in a sample, "count" says how often. The
            axis of a sample is axis 1, for one axis this one.
        weights: what each number counts, instead of 1.
        sparse: give rows as an array of JAX's BCOO.

    >>> encoded(jnp.array([[0, 2, 2]]), "count", 3, "float32").tolist()
    [[1.0, 0.0, 2.0]]
    """
    if output_mode == "int":
        return indices.astype(dtype)
    indices = jnp.atleast_1d(indices)
    rows = _encoded_rows(indices, output_mode, depth, dtype, weights)
    if not sparse:
        return rows
    from jax.experimental.sparse import BCOO  # takes long to import

    return BCOO.fromdense(rows, nse=indices.size)


def _encoded_rows(
    indices: jax.Array, output_mode: str, depth: int, dtype: str, weights: Any
) -> jax.Array:
    if output_mode == "multi_hot":
        return multi_hot(indices, depth, dtype=dtype)
    if output_mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return one_hot(indices, depth, dtype=dtype)
    if weights is None:
        rows = one_hot(indices, depth, dtype=dtype)
    else:
        rows = one_hot(indices, depth, dtype=weights.dtype) * weights[..., None]
    return rows.sum(min(1, indices.ndim - 1))


def encoded_shape(
    shape: tuple[int | None, ...], output_mode: str, depth: int
) -> tuple[int | None, ...]:
    """The shape of `encoded` for indices of a shape.

    >>> encoded_shape((None, 1), "one_hot", 4), encoded_shape((None, 5), "count", 4)
    ((None, 4), (None, 4))
    """
    shape = tuple(shape)
    if output_mode == "int":
        return shape
    if output_mode == "one_hot":
        if len(shape) > 1 and shape[-1] == 1:
            shape = shape[:-1]
        return (*(shape or (1,)), depth)
    if len(shape) > 1:
        return (*shape[:1], *shape[2:], depth)
    return (depth,)
