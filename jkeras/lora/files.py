"""Adapters in the folders of the package peft: `adapter_model.safetensors` and
`adapter_config.json`.
"""

import math
import os
import pathlib
import typing
from collections.abc import Iterator, Mapping

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import SerializationError
from jkeras.kernel import tree
from jkeras.lora import peft_config
from jkeras.lora.adapter import Adapter
from jkeras.lora.applying import missing
from jkeras.lora.kernels import axes_in, is_kernel
from jkeras.lora.names import Names, modules_of
from jkeras.saving import safe_json, safetensors
from jkeras.saving.checksums import Checksums
from jkeras.saving.folders import check_links, exchanging
from jkeras.saving.reading import explained, opened

if typing.TYPE_CHECKING:
    import jax
    from jkeras.kernel.low_rank import Change
    from jkeras.kernel.tree import Tree
    from jkeras.lora.peft_config import PeftConfig
    from jkeras.saving.flat import Stored

MATRICES = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PREFIX = "base_model.model."
LONGEST_CONFIG = 2**22  # bytes


class Written(typing.NamedTuple):
    """An array as `safetensors.write` takes it."""

    value: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        return self.value.shape

    @property
    def own_dtype(self) -> str:
        """Its dtype's name."""
        return str(self.value.dtype)


def save(
    folder: str | os.PathLike,
    adapter: Adapter,
    params: dict,
    *,
    names: Names = None,
    base_model: str | None = None,
    task_type: str | None = None,
) -> None:
    """Saves an adapter as peft has it. Each kernel is one linear layer there, whatever axes it has
    here: `(rank, all inputs)` and `(all outputs, rank)`.

    Args:
        folder: made where there is none.
        params: those that the adapter is of, or `kernels(model)`.
        names: from paths here to names of modules there: dict or function; "{}" stands for the
            number of a block of a `Stack`. By default the paths themselves, with dots and without
            "kernel".
        base_model: name or path of the model that it is an adapter of.
        task_type: peft's name of what it is for, such as "CAUSAL_LM".

    Raises:
        ValueError: a kernel that `params` lacks, two kernels of one name, one name for many blocks.

    >>> import tempfile, jkeras
    >>> params = {"dense": {"kernel": jnp.ones((3, 2))}}
    >>> adapter = jkeras.lora.init(params, 1, 0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder, adapter, params)
    ...     sorted(os.listdir(folder))
    ['adapter_config.json', 'adapter_model.safetensors']
    """
    arrays: dict[str, Written] = {}
    ranks = {}
    for path, change in adapter.changes():
        kernel = tree.get(params, path)
        if kernel is None:
            raise missing(path)
        blocks = change.blocks(len(kernel.shape))
        a, b = _matrices_of_blocks(change, blocks)
        count = len(a) if blocks else None
        module_path = "/".join(path)
        for i, module in enumerate(modules_of(module_path, count, names)):
            if module in ranks:
                raise ValueError(f"lora: `names` gives two kernels the name {module!r}.")
            ranks[module] = a.shape[-1]
            for key, matrix in zip(_keys(module, module_path), (a[i], b[i])):
                arrays[key] = Written(np.ascontiguousarray(matrix.T))
    text = peft_config.written(ranks, adapter.alpha, base_model, task_type)
    with exchanging(os.path.realpath(os.fsdecode(folder)), CONFIG) as new:
        safetensors.write(arrays, os.path.join(new, MATRICES))
        pathlib.Path(new, CONFIG).write_text(text, encoding="utf-8")


def _matrices_of_blocks(change: "Change", blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """(blocks, inputs, rank) and (blocks, rank, outputs) of a change."""
    a, b = np.asarray(change.a), np.asarray(change.b)
    count, rank = math.prod(a.shape[:blocks]), a.shape[-1]
    return a.reshape(count, -1, rank), b.reshape(count, rank, -1)


def _keys(module: str, path: str) -> list[str]:
    """The names of a module's two matrices."""
    if path.endswith("embeddings"):
        return [f"{PREFIX}{module}.lora_embedding_{m}" for m in "AB"]
    return [f"{PREFIX}{module}.lora_{m}.weight" for m in "AB"]


def load(folder: str | os.PathLike, params: dict, *, names: Names = None) -> Adapter:
    """The adapter in a folder that peft or `save` wrote.

    Args:
        params: those that the adapter is of, or `kernels(model)`.
        names: as of `save`.

    Returns:
        An `Adapter` whose `alpha` is the file's; where the file has several, one for all, and what
        they differ by is in the matrices.

    Raises:
        FileNotFoundError: a file is missing.
        SerializationError (a ValueError): a file is damaged, does not fit `params`, or has what is
            no plain low-rank change. Nothing but JSON and arrays is read.

    >>> import tempfile, jkeras
    >>> params = {"dense": {"kernel": jnp.ones((3, 2))}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder, jkeras.lora.init(params, 1, 0, alpha=4), params)
    ...     adapter = load(folder, params)
    >>> adapter.ranks, adapter.alpha
    ({'dense/kernel': 1}, 4.0)
    """
    check_links(os.fsdecode(folder), (CONFIG, MATRICES))
    path = os.path.join(os.fsdecode(folder), CONFIG)
    with explained(path), opened(path) as file:
        text = file.read(LONGEST_CONFIG + 1)
        if len(text) > LONGEST_CONFIG:
            raise SerializationError(f"it has more than {LONGEST_CONFIG} bytes.")
        config = peft_config.understood(safe_json.loads(text, "it"))
    path = os.path.join(os.fsdecode(folder), MATRICES)
    with explained(path), opened(path) as file:
        return _read(safetensors.read(file), params, names, config)


def _read(
    stored: "Mapping[str, Stored]",
    params: "Tree",
    names: Names,
    config: "PeftConfig",
) -> Adapter:
    """The adapter of a file's arrays."""
    left = dict(stored)
    matrices, alphas = {}, {}
    with Checksums() as sums:
        for path, kernel in _kernels_of(params):
            sizes = axes_in(kernel).split(kernel.shape)
            modules = modules_of(path, math.prod(sizes[0]) if sizes[0] else None, names)
            keys = [_keys(module, path) for module in modules]
            if not _has_matrices(left, keys, path):
                continue
            pairs = [[left.pop(key).read(sums) for key in pair] for pair in keys]
            matrices[path] = _pair(path, pairs, sizes)
            rank = matrices[path]["a"].shape[-1]
            for module in modules:
                config.check_rank(module, rank)
            own = np.array([config.alpha_of(module, rank) for module in modules], "float32")
            alphas[path] = own.reshape(sizes[0])
        sums.finish()
    if left or not matrices:
        what = ", ".join(sorted(left)[:5]) or "nothing"
        raise SerializationError(
            f"it has {what}, for which there is no kernel. `names` says which module a kernel is."
        )
    return _with_one_alpha(matrices, alphas)


def _has_matrices(stored: "Mapping[str, Stored]", keys: list[list[str]], path: str) -> bool:
    """Whether a file has the matrices of a kernel, by the names of those of its modules."""
    there = [all(key in stored for key in pair) for pair in keys]
    if any(there) and not all(there):
        raise SerializationError(f"it has matrices of some blocks of '{path}' only.")
    return any(there)


def _kernels_of(params: "Tree") -> Iterator[tuple[str, typing.Any]]:
    """(path, kernel) of all kernels of params."""
    for path, leaf in tree.flatten(params):
        if is_kernel(path[-1], tuple(leaf.shape), leaf.dtype):
            yield "/".join(path), leaf


def _pair(path: str, pairs: list[list[np.ndarray]], sizes: tuple) -> "dict[str, jax.Array]":
    """The matrices of a kernel from those of its modules, whose sizes are seen to."""
    blocks, inputs, outputs = sizes
    rank = pairs[0][0].shape[0] if pairs[0][0].ndim else 0
    right = [(rank, math.prod(inputs)), (math.prod(outputs), rank)]
    for pair in pairs:
        shapes = [matrix.shape for matrix in pair]
        if shapes != right or not rank or not all(_is_float(matrix) for matrix in pair):
            raise SerializationError(
                f"the matrices of '{path}' should be floats of shapes {right}. Received: {shapes}"
            )
    a, b = (np.stack([pair[i].T for pair in pairs]) for i in (0, 1))
    return {
        "a": jnp.asarray(a.reshape(*blocks, *inputs, rank), "float32"),
        "b": jnp.asarray(b.reshape(*blocks, rank, *outputs), "float32"),
    }


def _is_float(array: np.ndarray) -> bool:
    return jnp.issubdtype(array.dtype, jnp.floating)


def _with_one_alpha(
    matrices: "dict[str, dict[str, jax.Array]]", alphas: dict[str, np.ndarray]
) -> Adapter:
    """The adapter with one alpha for all; what single ones differ by is in the matrices.

    Args:
        alphas: by path, an array with the alpha of each block.
    """
    values = np.concatenate([own.ravel() for own in alphas.values()])
    alpha = float(next((value for value in values if value), 0.0))
    for path, own in alphas.items():
        if np.any(own != alpha):
            b = matrices[path]["b"]
            with np.errstate(over="ignore"):  # what is too large is refused below
                ratios = own / np.float32(alpha)
            factors = np.expand_dims(ratios, tuple(range(own.ndim, b.ndim)))
            if not np.isfinite(factors).all():
                raise SerializationError(f"its alphas are too far apart: {alpha} and {own.max()}.")
            matrices[path] = {**matrices[path], "b": b * jnp.asarray(factors)}
    return Adapter(matrices, alpha)
