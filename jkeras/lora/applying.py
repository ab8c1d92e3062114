"""New adapters, and params with an adapter's changes."""

import math
import typing

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.kernel import low_rank, tree
from jkeras.kernel.keys import key_of_path
from jkeras.lora.adapter import Adapter
from jkeras.lora.kernels import axes_in
from jkeras.lora.matching import WHERE, Ranks, ranks_of


def init(params: dict, spec: Ranks, rng: jax.Array | int, *, alpha: float | None = None) -> Adapter:
    """A new adapter, which changes nothing yet: one matrix of each product is zeros.

    Args:
        params: nested dict of arrays or of their shapes. A kernel's last axis is taken for that of
            its output; `kernels(model)` instead of `params` knows better for attention, `Stack`
            and kernels in few bits.
        spec: `{pattern: rank}`, where patterns are paths such as "dense/kernel" or regular
            expressions of whole paths; or one rank for all kernels and embeddings.
        rng: a key, or an integer.
        alpha: as of `Adapter`.

    Returns:
        An `Adapter`, float32: a is uniform in ±1 / sqrt(inputs) and b zeros, as in Hu et al. 2021
        (arXiv:2106.09685) and peft; of embeddings a is zeros and b normal.

    Raises:
        ValueError: a pattern that fits nothing, or something that is no kernel.

    >>> params = {"dense": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}}
    >>> adapter = init(params, {".*kernel": 1}, jax.random.key(0))
    >>> adapter.matrices["dense/kernel"]["b"].tolist()
    [[0.0, 0.0]]
    """
    key = jax.random.key(rng) if isinstance(rng, int) else rng
    matrices = {}
    for path, rank in ranks_of(params, spec).items():
        kernel = tree.get(params, tuple(path.split("/")))
        sizes = axes_in(kernel).split(kernel.shape)
        matrices[path] = _new(sizes, rank, key_of_path(key, path), path)
    return Adapter(matrices, alpha)


def _new(sizes: tuple, rank: int, key: jax.Array, path: str) -> dict[str, jax.Array]:
    """The two matrices of a kernel that get a product of zeros."""
    blocks, inputs, outputs = sizes
    a, b = (*blocks, *inputs, rank), (*blocks, rank, *outputs)
    if path.endswith("embeddings"):
        return {"a": jnp.zeros(a), "b": jax.random.normal(key, b)}
    limit = 1 / math.sqrt(math.prod(inputs))
    return {"a": jax.random.uniform(key, a, minval=-limit, maxval=limit), "b": jnp.zeros(b)}


def apply(params: dict, adapter: Adapter, state: dict | None = None) -> dict:
    """The params with an adapter's changes, to call a model with: `model.apply(apply(params,
    adapter), state, x)`.

    Inside `jax.jit` the sums are made where they are used. Pure, and differentiable in both.

    Args:
        params: of the model; they stay as they are.
        adapter: as `init` made it.
        state: of a model with kernels in few bits, whose integers are there: their changes lie
            beside them, and the layers add them to their products.

    Raises:
        ValueError: a kernel that is not there, or has another shape.

    >>> params = {"dense": {"kernel": jnp.zeros((3, 2))}}
    >>> pair = {"a": jnp.ones((3, 1)), "b": jnp.ones((1, 2))}
    >>> apply(params, Adapter({"dense/kernel": pair}))["dense"]["kernel"].tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    values = []
    for path, change in adapter.changes():
        weight = tree.get(params, path)
        if weight is not None and jnp.issubdtype(weight.dtype, jnp.floating):
            _check(path, change, weight)
            values.append((path, change.added_to(weight)))
            continue
        if weight is None and not _is_in_few_bits(state or {}, path):
            raise missing(path)
        *owner, name = path
        parts = zip(low_rank.PARTS, change)
        values += [((*owner, low_rank.name_of(name, part)), value) for part, value in parts]
    return tree.merge(params, tree.unflatten(values))


def merge(params: dict, adapter: Adapter) -> dict:
    """The params with an adapter's changes in them for good: plain ones of the same shapes.

    Raises:
        ValueError: a kernel that is not there, has another shape, or is in few bits.

    >>> params = {"dense": {"kernel": jnp.zeros((3, 2))}}
    >>> pair = {"a": jnp.ones((3, 1)), "b": jnp.ones((1, 2))}
    >>> merge(params, Adapter({"dense/kernel": pair}))["dense"]["kernel"].shape
    (3, 2)
    """
    for path, _ in adapter.changes():
        weight = tree.get(params, path)
        if weight is None or not jnp.issubdtype(weight.dtype, jnp.floating):
            raise ValueError(
                explain(
                    f"{WHERE}.merge",
                    "float kernels",
                    f"none at {'/'.join(path)!r}",
                    "keep the adapter beside a kernel in few bits, or merge before `quantize`",
                )
            )
    return apply(params, adapter)


def _is_in_few_bits(state: dict, path: tree.Path) -> bool:
    *owner, name = path
    own = tree.get(state, tuple(owner))
    return isinstance(own, dict) and any(key in own for key in (name, f"quantized_{name}"))


def missing(path: tree.Path) -> ValueError:
    """The error for a kernel that an adapter is of and that is not there."""
    advice = (
        "pass the params of the model that the adapter is of; where kernels are in few bits, its "
        "`state` too"
    )
    return ValueError(explain(WHERE, f"a kernel at {'/'.join(path)!r}", "none", advice))


def _check(path: tree.Path, change: low_rank.Change, weight: typing.Any) -> None:
    """Raises unless a change has the shape of its kernel."""
    if shape_of(change, weight.ndim) != tuple(weight.shape):
        received = f"matrices of shapes {change.a.shape} and {change.b.shape}"
        expected = f"a change of a kernel of shape {tuple(weight.shape)} at {'/'.join(path)!r}"
        raise ValueError(explain(WHERE, expected, received))


def shape_of(change: low_rank.Change, ndim: int) -> tuple[int, ...] | None:
    """The shape of a change of a kernel with so many axes; None where its matrices do not fit."""
    try:
        return jax.eval_shape(lambda change: change.dense(ndim), change).shape
    except TypeError:
        return None
