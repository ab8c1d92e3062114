"""Many blocks of one kind, one after the other, compiled once."""

import functools

import jax
import jax.numpy as jnp

from jkeras.kernel import tree
from jkeras.core.call import target_of
from jkeras.core.errors import explain
from jkeras.core.layer import Layer, StatefulLayer, layer
from jkeras.core.record import Any
from jkeras.core.remat import policy_of
from jkeras.core.rng import SeedGenerator
from jkeras.core.settings import settings
from jkeras.core.variable import gathered
from jkeras.kernel.apply import structure
from jkeras.kernel.losses import split
from jkeras.kernel.spec import sample
from jkeras.layers.base import Value
from jkeras.ops.kernels import inside_loop


class EachOf:
    """An initializer or constraint of one block's weight, for the weights of all blocks in one
    array.
    """

    def __init__(self, one):
        self.one = one

    def __call__(self, value, dtype=None):
        if isinstance(value, tuple):  # as an initializer, of a shape
            return jnp.stack(
                [jnp.asarray(self.one(value[1:], dtype=dtype)) for _ in range(value[0])]
            )
        return jax.vmap(self.one)(value)

    def sample(self, key, shape, dtype=None):
        """The first values under a given key, another one for each block."""
        return jax.vmap(lambda k: sample(self.one, k, shape[1:], dtype))(
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
        self._check_block(x)
        return {"_".join(path): self._of_all(w) for path, w in self._block_weights(x).items()}

    def _block_weights(self, x):
        """The weights of one block for an input: `{path: Weight}`."""
        return structure(self.layer, (self._block_input(x),)).weights

    def _block_input(self, x):
        sizes = [1 if size is None else size for size in x.shape]
        return jax.ShapeDtypeStruct(sizes, self.compute_dtype)

    def _check_block(self, x):
        """Raises ValueError where a block's output has another shape or dtype than its input."""
        block_input = self._block_input(x)

        def output(x):
            params, state = self.layer.init(jax.random.key(0), x)
            return self.layer.apply(params, state, x, training=False)[0]

        y = jax.eval_shape(output, block_input)
        same_shape = getattr(y, "shape", None) == block_input.shape
        if same_shape and y.dtype == block_input.dtype:
            return
        advice = "put layers that change the shape before or behind the stack"
        if same_shape:
            advice = (
                "compute in one dtype all through the block: `layers.add` casts to it, `+` takes "
                "the wider one"
            )
        expected = f"blocks that give what they take, {block_input.dtype}{list(block_input.shape)}"
        raise ValueError(explain(self._where, expected, f"{y}", advice))

    def _of_all(self, weight):
        """The spec of the array that holds a weight of all blocks."""
        return weight.replace(
            shape=(self.count, *weight.shape),
            initializer=EachOf(weight.initializer),
            regularizer=weight.regularizer and SumOfEach(weight.regularizer),
            constraint=weight.constraint and EachOf(weight.constraint),
        )

    def forward(self, w, inputs, ctx):
        weights = self._block_weights(inputs)
        params, state = (
            tree.unflatten(
                (path, w["_".join(path)]) for path in weights if weights[path].trainable is learnt
            )
            for learnt in (True, False)
        )
        keys = jax.random.split(ctx.key, self.count) if ctx.training else None
        context = {"training": ctx.training}
        if ctx.mask is not None and "mask" in target_of(type(self.layer)).context:
            context["mask"] = ctx.mask
        inside = ctx.taps_inside()
        changes = {}
        if inside is not None:
            first = jax.tree_util.tree_map(lambda v: v[0], (params, state, keys))
            shape_of = functools.partial(self._shape_in_block, context, inputs, *first)
            changes = inside.changes(self.count, shape_of)
        block = functools.partial(self._run_block, inside, context)
        if self.remat:
            policy = None if isinstance(self.remat, bool) else policy_of(self.remat)
            block = jax.checkpoint(block, policy=policy)
        slices = params, state, keys, changes
        y, (state, losses, seen) = jax.lax.scan(inside_loop(block), inputs, slices)
        if inside is not None:
            inside.keep(seen)
        self.add_loss(losses.sum())
        return y, {"_".join(path): value for path, value in tree.flatten(state)}

    def _run_block(self, inside, context, x, slices):
        """One block in the loop: `(y, (state, loss, what is seen in it))`.

        Args:
            inside: what is tapped in blocks, or None.
            slices: what of it is this block's: params, state, key, changes.
        """
        params, state, key, changes = slices
        if settings.distribution is not None:
            params, state = self._gathered(params), self._gathered(state)
        if inside is None:
            y, state = self.layer.apply(params, state, x, rng=key, **context)
            seen = {}
        else:
            taps = {"at": inside.at, "add": changes}
            y, state, seen = self.layer.tap(params, state, x, rng=key, **taps, **context)
        state, losses = split(state)
        return y, (state, sum(losses, jnp.zeros(())), seen)

    @property
    def block_of_loop(self):
        """The pattern of the blocks."""
        return self.layer

    def _shape_in_block(self, context, x, params, state, key, place):
        """What a layer in a block gives, as `jax.ShapeDtypeStruct`s."""

        def output(params, state, x):
            return self.layer.tap(params, state, x, at=[place], rng=key, **context)[2][place]

        return jax.eval_shape(output, params, state, x)

    def _gathered(self, values):
        """The weights of one block, laid out as ours are, without the axis of the blocks."""
        leaves = []
        for path, value in tree.flatten(values):
            ours = getattr(self._own.get("_".join(path)), "layout", None)
            if ours is not None:
                layout = type(ours)(ours.axes[1:], ours.device_mesh)
                value = gathered(value, layout)
            leaves.append((path, value))
        return tree.unflatten(leaves)
