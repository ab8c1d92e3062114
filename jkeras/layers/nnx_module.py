"""A module of `flax.nnx`, which holds its own values, as a function of values."""

import inspect
import sys
from typing import Any

import jax

from jkeras.core.weights.types import Function


def is_nnx(module: Function) -> bool:
    """Whether a module is one of `flax.nnx`.

    >>> is_nnx(print)
    False
    """
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(module, nnx.Module)


class NnxFunction:
    """A module as a function; `params` and `state` are what it holds now.

    Args:
        module: an instance of `flax.nnx.Module`. It is read once and never written.
        method: instead of `__call__`: a function of the module and the inputs.

    Attributes:
        params: nested dict of its `nnx.Param`s.
        state: nested dict of its other arrays, but keys and counts of random numbers, which a call
            makes from its key.
    """

    def __init__(self, module: str, method=None) -> None:
        from flax import nnx

        self.method = method or type(module).__call__
        self.takes_training = "training" in inspect.signature(self.method).parameters
        parts = nnx.split(module, nnx.Param, nnx.RngState, ...)
        self._graph, self._params, self._random, self._state = parts
        self.params = nnx.to_pure_dict(self._params)
        self.state = nnx.to_pure_dict(self._state)

    def __call__(self, params: Any, state: Any, rng: Any, inputs: Any, training: Any) -> Any:
        """(outputs, new state).

        Args:
            rng: key of the random numbers in training, else None.
            training: whether the module is in the mode that its `train()` sets, or in that of
                `eval()`; also passed to a method that takes it.
        """
        from flax import nnx

        module = nnx.merge(
            self._graph,
            _filled(nnx, self._params, params),
            self._keys_from(rng),
            _filled(nnx, self._state, state),
        )
        if training:
            module.train()
        else:
            module.eval()
        more = {"training": training} if self.takes_training else {}
        outputs = self.method(module, inputs, **more)
        *_, new = nnx.split(module, nnx.Param, nnx.RngState, ...)
        return outputs, nnx.to_pure_dict(new)

    def _keys_from(self, rng: jax.Array | None) -> Any:
        """The module's random state, each key derived from the argument."""
        if rng is None:
            return self._random
        leaves, treedef = jax.tree_util.tree_flatten(self._random)
        is_key = lambda leaf: jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)  # noqa: E731
        keys = [
            jax.random.fold_in(rng, i) if is_key(leaf) else leaf for i, leaf in enumerate(leaves)
        ]
        return treedef.unflatten(keys)


def _filled(nnx, template, values: Any) -> Any:
    """A state of the module with other values."""
    copy = jax.tree_util.tree_map(lambda leaf: leaf, template)
    nnx.replace_by_pure_dict(copy, values)
    return copy
