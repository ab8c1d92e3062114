"""Many blocks of one kind, one after the other, compiled once."""

import jax
import jax.numpy as jnp

from jkeras.core import tree
from jkeras.core.call import target_of
from jkeras.core.errors import explain
from jkeras.core.layer import Layer, StatefulLayer, layer
from jkeras.core.record import Any
from jkeras.core.remat import policy_of
from jkeras.core.rng import SeedGenerator
from jkeras.core.structure import constant_initializer, named_weights
from jkeras.core.weight import Weight, draw
from jkeras.layers.base import Value
from jkeras.ops.kernels import inside_loop


class EachOf:
    """An initializer or constraint of one block's weight, for the weights of all blocks in one
    array.
    """

    def __init__(self, one):
        self.one = one

    def __call__(self, first, dtype=None):
        if isinstance(first, tuple):  # as an initializer, of a shape
            return jnp.stack(
                [jnp.asarray(self.one(first[1:], dtype=dtype)) for _ in range(first[0])]
            )
        return jax.vmap(self.one)(first)

    def sample(self, key, shape, dtype=None):
        """The first values under a given key, another one for each block."""
        return jax.vmap(lambda k: draw(self.one, k, shape[1:], dtype))(
            jax.random.split(key, shape[0])
        )


class SumOfEach(EachOf):
    """A regularizer of one block's weight, for the weights of all blocks in one array."""

    def __call__(self, values):
        return super().__call__(values).sum()


@layer("keras.layers", arguments="layer, count, remat, seed")
class Stack(StatefulLayer):
    """`count` blocks like `layer`, each with weights of its own, applied one after the other in a
    compiled loop.

    A model of 50 blocks compiles as fast as one of a single block. Each weight of all blocks is one
    array, with the block along the first axis. The blocks' output must have the shape and dtype of
    their input.

    Args:
        layer: the block; it is used as a pattern, its own weights play no part.
        count: how many blocks.
        remat: whether what is inside a block is computed again for the gradient instead of being
            kept; the name of a policy of `jax.checkpoint_policies`, such as "dots_saveable", keeps
            some of it.
        seed: integer, of the keys that blocks draw from in training.

    >>> import jkeras
    >>> stack = Stack(jkeras.layers.Dense(4, activation="relu"), 50)
    >>> stack(jnp.ones((2, 4))).shape, [w.shape for w in stack.weights]
    ((2, 4), [(50, 4, 4), (50, 4)])
    """

    layer: Value()
    count: int
    remat: bool | str = False  # or the name of a policy
    seed: Any = None
    supports_masking = True
    uses_weights_whole = False  # a block's turn comes in the loop
    call_context = {"training": None, "mask": None}

    def __post_init__(self):
        if not isinstance(self.layer, Layer):
            raise ValueError(explain(self._where, "`layer` to be a layer", f"{self.layer!r}"))
        if not isinstance(self.count, int) or self.count < 1:
            raise ValueError(explain(self._where, "`count` of 1 or more", f"count={self.count!r}"))
        if not isinstance(self.remat, bool):
            policy_of(self.remat)
        self._forget("layer", ())  # its weights are none of ours
        self.seed_generator = SeedGenerator(self.seed)

    def weight_specs(self, x):
        given = jax.ShapeDtypeStruct(
            [1 if size is None else size for size in x.shape], self.compute_dtype
        )
        params, state = jax.eval_shape(self.layer.init, jax.random.key(0), given)
        y, _ = jax.eval_shape(
            lambda p, s, x: self.layer.apply(p, s, x, training=False), params, state, given
        )
        if getattr(y, "shape", None) != given.shape or y.dtype != given.dtype:
            advice = "put layers that change the shape before or behind the stack"
            if getattr(y, "shape", None) == given.shape:
                advice = "compute in one dtype all through the block: `layers.add` casts to it, `+` takes the wider one"
            raise ValueError(
                explain(
                    self._where,
                    f"blocks that give what they take, {given.dtype}{list(given.shape)}",
                    f"{y}",
                    advice,
                )
            )
        self.__dict__["_paths"] = {"_".join(path): path for path, _ in named_weights(self.layer)}
        return {
            "_".join(path): Weight(
                (self.count, *v.shape),
                EachOf(v._initializer or constant_initializer(v)),
                v.dtype,
                v.learnable,
                v.regularizer and SumOfEach(v.regularizer),
                v.constraint and EachOf(v.constraint),
                v.autocast,
            )
            for path, v in named_weights(self.layer)
        }

    def _lay_out(self):
        """Lets the pattern's weights lie as ours do, without the axis of the blocks."""
        for path, variable in named_weights(self.layer):
            ours = self._own["_".join(path)].layout
            if ours is not None:
                variable.layout = type(ours)(ours.axes[1:], ours.device_mesh)

    def forward(self, w, inputs, ctx):
        learnable = {path: v.learnable for path, v in named_weights(self.layer)}
        self._lay_out()

        def pick(kind):
            chosen = [(name, path) for name, path in self._paths.items() if learnable[path] is kind]
            return tree.unflatten((path, w[name]) for name, path in chosen)

        more = (
            {"mask": ctx.mask}
            if ctx.mask is not None and "mask" in target_of(type(self.layer)).context
            else {}
        )

        def block(x, now):
            params, state, key = now
            y, state = self.layer.apply(params, state, x, training=ctx.training, rng=key, **more)
            losses = sum(jax.tree_util.tree_leaves(state.pop("losses", {})), jnp.zeros(()))
            return y, (state, losses)

        keys = jax.random.split(ctx.key, self.count) if ctx.training else None
        policy = None if isinstance(self.remat, bool) else policy_of(self.remat)
        step = inside_loop(jax.checkpoint(block, policy=policy) if self.remat else block)
        y, (state, losses) = jax.lax.scan(step, inputs, (pick(True), pick(False), keys))
        self.add_loss(losses.sum())
        return y, {
            name: tree.get(state, path) for name, path in self._paths.items() if not learnable[path]
        }
