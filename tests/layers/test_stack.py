"""Stack: the numbers of as many separate blocks, from one compiled block."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.weights.structure import named_weights
from tests.thinning import some_slow

X = np.random.default_rng(0).normal(size=(6, 5, 4)).astype("float32")


class Block(layers.Layer):
    """A block with everything: attention that looks at masks, normalization with state, a
    penalty.
    """

    supports_masking = True

    def __init__(self, rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.attention = layers.MultiHeadAttention(2, 3)
        self.norm = layers.BatchNormalization()
        self.dense = layers.Dense(
            4,
            "tanh",
            kernel_regularizer="l2",
            activity_regularizer="l2",
            kernel_constraint=jkeras.constraints.MaxNorm(1.0),
        )
        self.dropout = layers.Dropout(rate)

    def call(self, x, mask=None, training=None):
        seen = None if mask is None else mask[:, None, :]
        return self.norm(
            x
            + self.dropout(
                self.dense(self.attention(x, x, attention_mask=seen)), training=training
            ),
            training=training,
        )


def separate(stack, count):
    """As many blocks with the same weights, and the model of them."""
    blocks = [Block() for _ in range(count)]
    model = jkeras.Sequential([jkeras.Input((5, 4)), *blocks])
    for i, block in enumerate(blocks):
        for variable, value in pairs(stack, block, i):
            variable.assign(value)
    return model


def pairs(stack, block, i):
    """(variable, value) for each weight of a block and what the stack has for it."""
    values = {w.name: w.numpy() for w in stack.weights}
    return [(variable, values["_".join(path)][i]) for path, variable in named_weights(block)]


def step(model):
    model.compile(jkeras.optimizers.SGD(0.1), "mse")
    return model.fit(X, X[::-1].copy(), epochs=2, batch_size=6, verbose=0, shuffle=False).history[
        "loss"
    ]


@pytest.mark.promise("`layers.Stack(block, 50)` is")
@pytest.mark.promise("`nn.scan` over layers | `layers.Stack(block, 12)`")
@pytest.mark.parametrize("remat", some_slow([False, True], True))
def test_as_separate_blocks(remat):
    """Outputs, losses and penalties, gradients, moving statistics, constraints: all as of separate
    blocks.
    """
    stack = layers.Stack(Block(), 3, remat=remat)
    model = jkeras.Sequential([jkeras.Input((5, 4)), stack])
    others = separate(stack, 3)
    np.testing.assert_allclose(model(X), others(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(step(model), step(others), rtol=1e-5)
    for i, block in enumerate(others.layers):
        for variable, value in pairs(stack, block, i):
            np.testing.assert_allclose(
                value, variable.numpy(), rtol=1e-4, atol=1e-5, err_msg=variable.path
            )


def test_masks_reach_the_blocks():
    stack = layers.Stack(Block(), 2)
    stack(X)
    mask = np.arange(5) < 3
    masked = stack(X, mask=jnp.asarray(np.tile(mask, (6, 1))))
    other = np.where(mask[:, None], X, 7.0).astype("float32")
    np.testing.assert_allclose(
        masked[:, :3], stack(other, mask=jnp.asarray(np.tile(mask, (6, 1))))[:, :3], atol=1e-5
    )
    assert not np.allclose(masked, stack(X))


def test_blocks_draw_for_themselves():
    stack = layers.Stack(layers.Dropout(0.5), 2, seed=1)
    x = np.ones((50, 4), "float32")
    kept = (np.asarray(stack(x, training=True)) != 0).mean()
    assert 0.15 < kept < 0.35  # a quarter passes both; half would, if they drew the same
    params, state = layers.Stack(layers.Dense(4), 3).init(jax.random.key(0), x)
    assert not np.allclose(params["kernel"][0], params["kernel"][1])


@pytest.mark.promise("unless they are one `jkeras.layers.Stack`, which compiles one")
@pytest.mark.promise("Equal blocks in a `jkeras.layers.Stack` are compiled once")
def test_one_block_is_compiled():
    def length(count):
        layer = layers.Stack(Block(), count)
        params, state = layer.init(jax.random.key(0), X)
        return len(
            str(jax.make_jaxpr(lambda p: layer.apply(p, state, X, training=False)[0])(params))
        )

    assert length(20) < 1.05 * length(2)


def test_mistakes():
    with pytest.raises(ValueError, match="give what they take.*before or behind"):
        layers.Stack(layers.Dense(3), 2)(X)
    block = jkeras.Input((5, 4))
    # float32 + bfloat16: float32
    wide = jkeras.Model(block, block + layers.Dense(4, dtype="mixed_bfloat16")(block))
    with pytest.raises(
        ValueError, match="give what they take, bfloat16.*float32.*`layers.add` casts"
    ):
        layers.Stack(wide, 2, dtype="mixed_bfloat16")(X)
    with pytest.raises(ValueError, match="count"):
        layers.Stack(layers.Dense(3), 0)
    with pytest.raises(ValueError, match="layer"):
        layers.Stack("dense", 2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"stages": 2}, "`stages` to divide the number of blocks, 3"),
        ({"stages": 0}, "`stages` of 1 or more"),
        ({"stages": 3, "microbatches": 1.5}, "`microbatches` of 1 or more"),
    ],
)
def test_wrong_stages(arguments, message):
    with pytest.raises(ValueError, match=message):
        layers.Stack(layers.Dense(4), 3, **arguments)


def test_stages_are_those_of_the_mesh():
    stack = layers.Stack(layers.Dense(4), 2, stages=2)
    assert layers.Stack.from_config(stack.get_config()).stages == 2
    with jkeras.distribution.PipelineParallel(1, devices=["cpu:0"]).scope():
        with pytest.raises(ValueError, match="the session's mesh has, 1"):
            stack(X)
        alone = layers.Stack(layers.Dense(4), 2, stages=1, microbatches=4)
        parts = alone(X)
        weights = alone.get_weights()
    plain = layers.Stack(layers.Dense(4), 2)
    plain.build(X.shape)
    plain.set_weights(weights)
    np.testing.assert_allclose(parts, plain(X), rtol=1e-5, atol=1e-6)
