"""Which kernels get a low-rank change of which rank."""

import difflib
import typing
from collections.abc import Mapping

from jkeras.core.names import patterns
from jkeras.core.errors import explain
from jkeras.kernel import tree
from jkeras.lora.kernels import is_kernel

WHERE = "lora"

Ranks: typing.TypeAlias = int | dict[str, int]  # one for all kernels, or by pattern of paths


def ranks_of(params: dict, spec: Ranks) -> dict[str, int]:
    """{path: rank} of the kernels of `params` that a spec is of.

    Args:
        params: nested dict of what has a shape and a dtype.
        spec: one rank, or ranks by path or regular expression of whole paths; the first that fits
            a path counts.

    Raises:
        ValueError: a rank that is none, a pattern that fits nothing, or what is no kernel.

    >>> import jax.numpy as jnp
    >>> params = {"dense": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}}
    >>> ranks_of(params, {"dense/.*kernel": 4})
    {'dense/kernel': 4}
    """
    leaves = {"/".join(path): leaf for path, leaf in tree.flatten(params)}
    able = [path for path, leaf in leaves.items() if _is_kernel(path, leaf)]
    if not isinstance(spec, dict):
        spec = {path: spec for path in able}
    if not spec:
        raise ValueError(explain(WHERE, "kernels that get a change", "none of these params"))
    ranks: dict[str, int] = {}
    for pattern, rank in spec.items():
        _check_rank(pattern, rank)
        for path in _fitting(pattern, leaves, able):
            ranks.setdefault(path, rank)
    return {path: ranks[path] for path in able if path in ranks}


def _is_kernel(path: str, leaf: typing.Any) -> bool:
    return is_kernel(path.rpartition("/")[2], tuple(leaf.shape), leaf.dtype)


def _check_rank(pattern: str, rank: int) -> None:
    if type(rank) is not int or rank < 1:
        raise ValueError(explain(WHERE, "a rank of 1 or more", f"{rank!r} for {pattern!r}"))


def _fitting(pattern: str, leaves: Mapping[str, typing.Any], able: list[str]) -> list[str]:
    """The paths of kernels that a pattern fits."""
    matches = [path for path in leaves if path == pattern or patterns.fitting([pattern], path)]
    if not matches:
        near = difflib.get_close_matches(pattern, able, 5, 0) or able
        received = f"{pattern!r}, which fits no path"
        advice = f"kernels are at {', '.join(near[:5])}" if near else None
        raise ValueError(explain(WHERE, "paths of kernels, or patterns of them", received, advice))
    others = [path for path in matches if path not in able]
    if others:
        received = f"{pattern!r}, which fits {', '.join(map(repr, others[:5]))} too"
        advice = "let the pattern end in `kernel` or `embeddings`"
        raise ValueError(explain(WHERE, "patterns of kernels alone", received, advice))
    return matches
