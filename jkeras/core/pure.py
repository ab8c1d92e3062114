"""The pure interface of a layer: `init` makes values from a key, `apply` runs the layer on given
ones. Both are those of the kernel (`kernel.apply`), as methods; neither writes on the layer.
"""

import typing

import jax

from jkeras.kernel import apply as kernel


class PureFunction:
    """One of the two functions of a layer, as a value: equal for layers of equal arguments."""

    __slots__ = ("__weakref__", "_function", "_key", "_layer")

    def __init__(self, function: typing.Callable, layer: typing.Any, key: typing.Hashable):
        self._function = function
        self._layer = layer
        self._key = key

    def __call__(self, *args, **kwargs):
        return self._function(self._layer, *args, **kwargs)

    def __eq__(self, other):
        if not isinstance(other, PureFunction):
            return NotImplemented
        return self._function is other._function and self._key == other._key

    def __hash__(self):
        return hash((self._function, self._key))

    def __repr__(self):
        return f"<{self._function.__name__} of {type(self._layer).__name__}>"


class Pair(typing.NamedTuple):
    """A layer as a value: two pure functions.

    init: `(key, x) -> (params, state)`; apply: `(params, state, x, ...) -> (y, state)`.
    Pairs of layers that were made from equal arguments are equal, so that `jax.jit` with a pair as
    a static argument compiles once for them.
    """

    init: typing.Callable
    apply: typing.Callable


class PureInterface:
    """`init`, `apply` and `pair`, functions of hyper-parameters, values and inputs alone."""

    def init(self, key: jax.Array | int, *args, **kwargs) -> tuple[dict, dict]:
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
        *args,
        training: bool | None = None,
        rng: jax.Array | int | None = None,
        mask: jax.Array | None = None,
        **kwargs,
    ):
        """The forward pass on given values: `(y, new_state)`. Safe under jit, grad, vmap, scan and
        shard_map.

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

    def tap(
        self,
        params: dict,
        state: dict,
        *args,
        at: typing.Any = (),
        add: dict[typing.Any, typing.Any] | None = None,
        training: bool | None = None,
        rng: jax.Array | int | None = None,
        mask: jax.Array | None = None,
        **kwargs,
    ):
        """The forward pass of `apply`, with a look at what layers in it give, and changes of that:
        `(y, new_state, seen)`.

        A place is a path of names, "base/conv": as in `params`, or as the layers are called. The
        end of a path is enough where only one layer has it. "conv#1" is the second call of a layer
        that is used more than once; "conv" alone gives the outputs of all calls along a new first
        axis. In a `Stack` called "stack", "stack/3/dense" is a layer in block 3;
        "stack/layer/dense" that of all blocks, along a first axis.

        Args:
            params, state, args, training, rng, mask, kwargs: as of `apply`.
            at: a place or several; `seen` has their outputs, a dict by place. A layer of the model
                is a place, too.
            add: what is added to the outputs at places; in the structure of the output, of its
                shape or one that broadcasts to it. The gradient by a change of zeros is that by the
                output of the layer.
        Raises:
            ValueError: no layer, or more than one, is at a place; it does not run in this pass; it
                runs in a loop other than that of `Stack`; a change has another shape.

        >>> import jkeras, jax.numpy as jnp
        >>> from jkeras.layers import Dense
        >>> model = jkeras.Sequential([Dense(3, name="hidden"), Dense(1)])
        >>> params, state = model.init(0, jnp.ones((2, 4)))
        >>> y, _, seen = model.tap(params, state, jnp.ones((2, 4)), at="hidden")
        >>> y.shape, seen["hidden"].shape
        ((2, 1), (2, 3))
        """
        from jkeras.core.adapting import built_for
        from jkeras.core.taps import Taps, find

        rng = jax.random.key(rng) if isinstance(rng, int) else rng
        if mask is not None:
            kwargs["mask"] = mask
        at = list(at) if isinstance(at, (list, tuple, set, dict)) else [at]
        add = add or {}
        root = built_for(self, args, kwargs)
        taps = Taps(find(root, at, self), list(zip(find(root, add, self), add.values())))
        y, new_state = kernel.apply(
            self, params, state, args, kwargs, rng=rng, training=training, taps=taps
        )
        return y, new_state, taps.results()

    def pair(self) -> Pair:
        """`Pair(init, apply)`: the layer as two pure functions, which compare by value."""
        from jkeras.core.equality import value_key

        key = value_key(self)
        cls = type(self)
        return Pair(PureFunction(cls.init, self, key), PureFunction(cls.apply, self, key))
