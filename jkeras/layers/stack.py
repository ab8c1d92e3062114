"""Many blocks of one kind, one after the other, compiled once."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jkeras.kernel import tree
from jkeras.core.run.adapting import built_for
from jkeras.core.run.call import target_of
from jkeras.core.errors import explain
from jkeras.core.layer import Layer, StatefulLayer, layer
from jkeras.core.record import Any
from jkeras.core.run.remat import checkpointed, policy_of
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.session.settings import settings
from jkeras.core.weights.variable import gathered
from jkeras.kernel.apply import structure
from jkeras.kernel.losses import split
from jkeras.kernel.spec import Spec, Weight, sample
from jkeras.layers.base import Value
from jkeras.layers.stages import Blocks, in_stages, layout_of_stages, mesh_of_stages
from jkeras.ops.kernels import inside_loop
from jkeras.core.run.context import Context
from jkeras.core.weights.types import Function, Sizes, Structure


class EachOf:
    """An initializer or constraint of one block's weight, for the weights of all blocks in one
    array.
    """

    def __init__(self, one) -> None:
        self.one = one

    def __call__(self, value: Any, dtype: Any = None) -> Any:
        if isinstance(value, tuple):  # as an initializer, of a shape
            return jnp.stack(
                [jnp.asarray(self.one(value[1:], dtype=dtype)) for _ in range(value[0])]
            )
        return jax.vmap(self.one)(value)

    def sample(self, key, shape: Sizes, dtype: Any = None) -> Any:
        """The first values from a key, another one for each block."""
        return jax.vmap(lambda k: sample(self.one, k, shape[1:], dtype))(
            jax.random.split(key, shape[0])
        )


class SumOfEach(EachOf):
    """A regularizer of one block's weight, for the weights of all blocks in one array."""

    def __call__(self, values: Any) -> Any:
        return super().__call__(values).sum()


# it does not use weights whole: a block's turn comes in the loop
@layer("keras.layers", arguments="layer, count, remat, seed, stages, microbatches")
class Stack(StatefulLayer, uses_weights_whole=False):
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
        stages: under a distribution whose mesh has an axis "stage", such as
            `distribution.PipelineParallel(stages)`: in how many stages, each on devices of its own,
            the blocks lie. Elsewhere it has no effect.
        microbatches: in how many parts of the batch, at most, stages work at the same time; by
            default as many as stages. With `stages - 1` more turns than microbatches, more of them
            leave less time idle. Blocks that look at the whole batch, such as those with
            `BatchNormalization`, look at a microbatch.
    Call arguments:
        segment_ids: of packed sequences, for blocks that hand them on to their attention layers.
    Raises:
        ValueError: `layer` is none, counts below 1, stages that do not divide `count`, or a layer
            whose output is not like its input.

    >>> import jkeras
    >>> stack = Stack(jkeras.layers.Dense(4, activation="relu"), 50)
    >>> stack(jnp.ones((2, 4))).shape, [w.shape for w in stack.weights]
    ((2, 4), [(50, 4, 4), (50, 4)])
    """

    layer: Value()
    count: int
    remat: bool | str = False  # or the name of a policy
    seed: Any = None
    stages: int | None = None
    microbatches: int | None = None
    supports_masking = True
    supports_cache = True
    call_context = {"training": None, "mask": None}

    def __post_init__(self) -> None:
        if not isinstance(self.layer, Layer):
            raise ValueError(explain(self._where, "`layer` to be a layer", f"{self.layer!r}"))
        if not isinstance(self.count, int) or self.count < 1:
            raise ValueError(explain(self._where, "`count` of 1 or more", f"count={self.count!r}"))
        self._check_stages()
        if not isinstance(self.remat, bool):
            policy_of(self.remat)
        self._forget("layer", ())  # its weights are none of ours
        self.seed_generator = SeedGenerator(self.seed)

    def _check_stages(self) -> None:
        for name in ("stages", "microbatches"):
            value = getattr(self, name)
            is_count = isinstance(value, int) and value >= 1
            if value is not None and not is_count:
                raise ValueError(
                    explain(self._where, f"`{name}` of 1 or more", f"{name}={value!r}")
                )
        if self.count % (self.stages or 1):
            expected = f"`stages` to divide the number of blocks, {self.count}"
            raise ValueError(explain(self._where, expected, f"stages={self.stages}"))

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        self._check_block(x)
        return {"_".join(path): self._of_all(w) for path, w in self._block_weights(x).items()}

    def _block_weights(self, x: Spec | jax.Array) -> dict[str, Any]:
        """The weights of one block for an input: `{path: Weight}`."""
        return structure(self.layer, (self._block_input(x),)).weights

    def _block_input(self, x: Spec | jax.Array) -> Any:
        sizes = [1 if size is None else size for size in x.shape]
        return jax.ShapeDtypeStruct(sizes, self.compute_dtype)

    def _check_block(self, x: Spec) -> None:
        """Raises ValueError where a block's output has another shape or dtype than its input."""
        block_input = self._block_input(x)

        def output(x: jax.Array) -> jax.Array:
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

    def _of_all(self, weight: Weight) -> Weight:
        """The spec of the array that holds a weight of all blocks."""
        shape = (self.count, *weight.shape)
        mesh = mesh_of_stages(self._where, self.stages)
        return weight.replace(
            shape=shape,
            layout=None if mesh is None else layout_of_stages(mesh, shape),
            initializer=EachOf(weight.initializer),
            regularizer=weight.regularizer and SumOfEach(weight.regularizer),
            constraint=weight.constraint and EachOf(weight.constraint),
        )

    def forward(
        self, w: Mapping[str, Any], inputs: jax.Array, *, segment_ids: Any = None, ctx: Context
    ) -> Structure:
        inputs = inputs.astype(self.compute_dtype)  # the loop carries what a block gives
        weights = self._block_weights(inputs)
        params, state = (
            tree.unflatten(
                (path, w["_".join(path)]) for path in weights if weights[path].trainable is learnt
            )
            for learnt in (True, False)
        )
        keys = jax.random.split(ctx.key, self.count) if ctx.training else None
        blocks = Blocks(params, state, keys)
        context = {"training": ctx.training}
        visible = self._visible(ctx.mask, segment_ids)
        inside = ctx.inside()
        mesh = mesh_of_stages(self._where, self.stages)
        if mesh is None or inside is not None:
            y, state, loss = self._in_a_loop(inside, context, blocks, inputs, visible)
        else:
            make_block = functools.partial(self._block, None, context)
            microbatches = self.microbatches or self.stages
            y, state, loss = in_stages(make_block, blocks, inputs, visible, mesh, microbatches)
        self.add_loss(loss)
        return y, {"_".join(path): value for path, value in tree.flatten(state)}

    def _visible(self, mask: jax.Array | None, segment_ids) -> dict[str, Any]:
        """What each block gets of what may be seen, by the names of its call's arguments."""
        target = target_of(type(self.layer))
        visible = {}
        if mask is not None and "mask" in target.context:
            visible["mask"] = mask
        if segment_ids is not None:
            if "segment_ids" not in target.names:
                expected = "a block whose call takes `segment_ids`"
                raise ValueError(explain(self._where, expected, type(self.layer).__name__))
            visible["segment_ids"] = segment_ids
        return visible

    def _in_a_loop(
        self, inside, context: dict[str, Any], blocks: Blocks, x: jax.Array, visible: dict[str, Any]
    ) -> tuple[Any, ...]:
        """(y, state of the blocks, sum of their losses), one block after the other."""
        changes = {}
        if inside is not None:
            first = jax.tree_util.tree_map(lambda v: v[0], tuple(blocks))
            options = context | visible
            shape_of = functools.partial(self._shape_in_block, inside, options, x, first)
            changes = inside.changes(self.count, shape_of)
        block = self._block(inside, context, visible)
        y, (state, losses, seen) = jax.lax.scan(block, x, (*blocks, changes))
        if inside is not None:
            inside.keep(seen)
        return y, state, losses.sum()

    def _block(self, inside, context: dict[str, Any], visible: dict[str, Any]) -> Function:
        """One block as the body of a loop."""
        block = functools.partial(self._run_block, inside, context | visible)
        if self.remat:
            policy = None if isinstance(self.remat, bool) else policy_of(self.remat)
            block = checkpointed(block, policy)
        return inside_loop(block)

    def _run_block(self, inside, context: dict[str, Any], x: jax.Array, slices) -> tuple[Any, ...]:
        """One block in the loop: `(y, (state, loss, what is seen in it))`.

        Args:
            inside: what goes into blocks beside values, or None.
            slices: what of it is this block's: params, state, key, changes.
        """
        params, state, key, changes = slices
        if settings.distribution is not None:
            params, state = self._gathered(params), self._gathered(state)
        if inside is None:
            y, state = self.layer.apply(params, state, x, rng=key, **context)
            seen = {}
        else:
            options = {"rng": key, **context}
            y, state, seen = inside.run(self.layer, params, state, x, changes, options)
        state, losses = split(state)
        return y, (state, sum(losses, jnp.zeros(())), seen)

    @property
    def block_of_loop(self) -> Any:
        """The pattern of the blocks."""
        return self.layer

    def built_block(self) -> Any:
        """A block with weights of its own, for the inputs that the stack is built for; none of the
        stack's.
        """
        shape = next(iter(self.get_build_config().values()))
        return built_for(self.layer, (self._block_input(Spec(shape)),), {})

    def _shape_in_block(
        self, inside, context: dict[str, Any], x: jax.Array, first: tuple, path: str
    ) -> Any:
        """What there is at a place in the first block, as `jax.ShapeDtypeStruct`s.

        Args:
            first: its params, state and key.
        """
        params, state, key = first

        def output(params: Any, state: Structure, x: jax.Array) -> Any:
            return inside.output(self.layer, params, state, x, path, {"rng": key, **context})

        return jax.eval_shape(output, params, state, x)

    def _gathered(self, values: Any) -> Any:
        """The weights of one block, laid out as ours are, without the axis of the blocks."""
        leaves = []
        for path, value in tree.flatten(values):
            ours = getattr(self._own.get("_".join(path)), "layout", None)
            if ours is not None:
                layout = type(ours)(ours.axes[1:], ours.device_mesh)
                value = gathered(value, layout)
            leaves.append((path, value))
        return tree.unflatten(leaves)
