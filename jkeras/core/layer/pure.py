"""The pure interface of a layer: `init` makes values from a key, `apply` runs the layer on explicit
ones. Both are those of the kernel (`kernel.apply`), as methods; neither writes on the layer.
"""

import typing

import jax

from jkeras.core.layer.equality import value_key
from jkeras.core.run.tapping import tap
from jkeras.kernel import apply as kernel


class PureFunction:
    """One of the two functions of a layer, as a value: equal for layers of equal arguments."""

    __slots__ = ("__weakref__", "_layer", "function", "key")

    def __init__(self, function: typing.Callable, layer: typing.Any, key: typing.Hashable):
        self.function = function
        self._layer = layer
        self.key = key

    def __call__(self, *args, **kwargs):
        return self.function(self._layer, *args, **kwargs)

    def __eq__(self, other):
        if not isinstance(other, PureFunction):
            return NotImplemented
        return self.function is other.function and self.key == other.key

    def __hash__(self):
        return hash((self.function, self.key))

    def __repr__(self):
        return f"<{self.function.__name__} of {type(self._layer).__name__}>"


class Pair(typing.NamedTuple):
    """A layer as a value: two pure functions.

    init: `(key, x) -> (params, state)`; apply: `(params, state, x, ...) -> (y, state)`.
    Pairs of layers that were made from equal arguments are equal, so that `jax.jit` with a pair as
    a static argument compiles once for them.
    """

    init: typing.Callable
    apply: typing.Callable


class PureInterface:
    """`init`, `apply`, `tap` and `pair`, functions of hyper-parameters, values and inputs alone."""

    def init(
        self, key: jax.Array | int, *args: typing.Any, **kwargs: typing.Any
    ) -> tuple[dict, dict]:
        """New weights for an input, from a key alone: `(params, state)`, nested dicts of arrays.

        Args:
            key: `jax.random.key(...)`, or an integer.
            args: the inputs, as arrays or `jax.ShapeDtypeStruct`.
        """
        key = jax.random.key(key) if isinstance(key, int) else key
        return kernel.init(self, key, args, kwargs)

    def apply(
        self,
        params: dict,
        state: dict,
        *args: typing.Any,
        training: bool | None = None,
        rng: jax.Array | int | None = None,
        mask: jax.Array | None = None,
        **kwargs: typing.Any,
    ) -> tuple[jax.Array, dict]:
        """The forward pass as a pure function: `(y, new_state)`. Safe under jit, grad, vmap, scan
        and shard_map.

        Args:
            params, state: as `init` gave them.
            training: whether this is a training step.
            rng: key for layers that sample random numbers in training; they derive theirs from it
                by path.
            mask: mask of the first input.
        Raises:
            ValueError: a value is missing in `params` or `state`, or has another shape than the
                layer's weight.
        """
        rng = jax.random.key(rng) if isinstance(rng, int) else rng
        if mask is not None:
            kwargs["mask"] = mask
        return kernel.apply(self, params, state, args, kwargs, rng=rng, training=training)

    tap = tap

    def pair(self) -> Pair:
        """`Pair(init, apply)`: the layer as two pure functions, which compare by value."""

        key = value_key(self)
        cls = type(self)
        return Pair(PureFunction(cls.init, self, key), PureFunction(cls.apply, self, key))
