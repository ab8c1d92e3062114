"""`compile(loss_chunks=...)`: the loss over many classes some positions at a time, with the numbers
of all at once.
"""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers, losses

CLASSES, TIME = 37, 7
rng = np.random.default_rng(0)
X = rng.integers(0, CLASSES, (10, TIME))
Y = rng.integers(0, CLASSES, (10, TIME))
WEIGHTS = rng.random((10, TIME))


class Own(jkeras.Model):
    """A model whose `call` is the user's."""

    def __init__(self):
        super().__init__()
        self.table, self.head = layers.Embedding(CLASSES, 8), layers.Dense(CLASSES)

    def call(self, x):
        return self.head(self.table(x))


def dense(mask=False, pools=False, **options):
    x = jkeras.Input((TIME,), dtype="int32")
    y = layers.Embedding(CLASSES, 8, mask_zero=mask)(x)
    if pools:
        y = layers.GlobalAveragePooling1D()(y)
    return jkeras.Model(x, layers.Dense(CLASSES, **options)(y))


def tied(mask=False, **options):
    x = jkeras.Input((TIME,), dtype="int32")
    table = layers.ReversibleEmbedding(CLASSES, 8, mask_zero=mask, **options)
    return jkeras.Model(x, table(layers.Dense(8)(table(x)), reverse=True))


MODELS = {
    "dense": dense,
    "no bias": lambda: dense(use_bias=False),
    "masked": lambda: dense(mask=True),
    "one for each row": lambda: dense(pools=True),
    "tied": lambda: tied(mask=True, logit_soft_cap=5.0),
    "apart": lambda: tied(tie_weights=False),
    "own": Own,
}


def trained(make, chunks, weights=None, ignore_class=None, from_logits=True, **options):
    """(history, evaluation, weights, how many parts of its step are computed again)."""
    jkeras.utils.set_random_seed(0)
    model = make()
    model(X[:1])
    loss = losses.SparseCategoricalCrossentropy(from_logits, ignore_class)
    model.compile(jkeras.optimizers.SGD(0.5), loss, loss_chunks=chunks, **options)
    y = Y
    if len(model.compute_output_shape(X.shape)) == 2:
        y = Y[:, 0]
    given = dict(batch_size=4, verbose=0, sample_weight=weights)
    history = model.fit(X, y, epochs=2, **given).history
    evaluated = model.evaluate(X, y, **given)
    state = jkeras.training.init_train_state(model, 0)
    step = jax.make_jaxpr(jkeras.training.make_train_step(model))
    again = str(step(state, (X[:4], y[:4], None))).count("remat")
    return history, evaluated, model.get_weights(), again


def assert_same(mine, other, tolerance=1e-6):
    for a, b in zip(jax.tree.leaves(mine[:3]), jax.tree.leaves(other[:3]), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    assert mine[3] and not other[3]


@pytest.mark.promise("compile(loss_chunks=8)")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("chunks", [3, 16])
def test_the_numbers_of_all_at_once(name, chunks):
    assert_same(trained(MODELS[name], chunks), trained(MODELS[name], 1))


@pytest.mark.parametrize(
    "options",
    [{"weights": WEIGHTS}, {"ignore_class": 3}, {"microbatches": 2}, {"metrics": ["accuracy"]}],
    ids=lambda options: next(iter(options)),
)
def test_beside_other_settings(options):
    assert_same(trained(dense, 4, **options), trained(dense, 1, **options))


def test_gradients_are_added_up_in_float32():
    """All weights are in bfloat16 in the step; 64 chunks are no farther from one in float32."""
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mine, whole = trained(dense, 7), trained(dense, 1)
    finally:
        jkeras.config.set_dtype_policy("float32")
    exact = trained(dense, 1)
    far = [max(np.abs(a - b).max() for a, b in zip(one[2], exact[2])) for one in (mine, whole)]
    assert far[0] < 1.5 * far[1]


@pytest.mark.promise("a warning says it where there is no such loss")
def test_what_has_no_chunks_is_told_of():
    with pytest.warns(UserWarning, match="`loss_chunks` has no effect"):
        trained(lambda: dense(activation="softmax"), 4, from_logits=False)
    with pytest.raises(ValueError, match="loss_chunks"):
        dense().compile("sgd", "mse", loss_chunks=0)


def test_no_array_of_all_logits_is_in_the_step():
    """Of 1,000 classes and 64 positions in 8 chunks."""
    x = jkeras.Input((64,), dtype="int32")
    model = jkeras.Model(x, layers.Dense(1000)(layers.Embedding(10, 8)(x)))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    needed = {}
    for chunks in (1, 8):
        model.compile("sgd", loss, loss_chunks=chunks)
        needed[chunks] = model.plan(16).memory.temporary
    assert needed[8] < needed[1] / 3
