"""SHA-256 of what a training takes and of what comes out."""

import hashlib
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jkeras.core.weights.structure import named_weights
from jkeras.training.data import placement
from jkeras.training.data import ArraySource, take
from jkeras.training.data.source import Batch, Source

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def of_arrays(arrays: list[tuple[str, Any]]) -> str:
    """The hash of named arrays: of their names, shapes, dtypes and bytes.

    >>> zeros, row = np.zeros(2), np.zeros((1, 2))
    >>> len(of_arrays([("w", zeros)])), of_arrays([("w", zeros)]) == of_arrays([("w", row)])
    (64, False)
    """
    digest = hashlib.sha256()
    for name, value in arrays:
        value = placement.to_host(value)
        digest.update(f"{name} {value.dtype}{list(value.shape)}\n".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view("uint8").data)
    return digest.hexdigest()


def of_weights(model: "Trainer") -> str:
    """The hash of all weights of a model, those that are not trained among them; of an ensemble
    those of all members.
    """
    named = [("/".join(map(str, path)), v.value) for path, v in named_weights(model)]
    if model.ensemble_members is not None:
        named += [(f"members/{i}", w) for i, w in enumerate(model.ensemble_members.get_weights())]
    return of_arrays(named)


def of_text(text: str) -> str:
    """The hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def of_data(source: Source) -> dict[str, Any]:
    """Facts about a source, without using it up: hashes of its first batch and, where it is
    arrays, of the last one, both in the order in which the rows lie.
    """
    hashes = {"batches": source.num_batches, "first": _of_batch(source.peek())}
    if isinstance(source, ArraySource):
        last = slice((source.num_batches - 1) * source.batch_size, None)
        hashes["last"] = _of_batch(take(source.data, last))
    return hashes


def _of_batch(batch: Batch) -> dict[str, dict[str, Any]]:
    """{name of an array: its shape, dtype and hash}"""
    parts = dict(zip(("x", "y", "sample_weight"), batch))
    leaves = jax.tree_util.tree_leaves_with_path(parts)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): _of(v) for path, v in leaves}


def _of(value: Any) -> dict[str, Any]:
    value = np.asarray(value)
    return {
        "shape": list(value.shape),
        "dtype": str(value.dtype),
        "sha256": of_arrays([("", value)]),
    }
