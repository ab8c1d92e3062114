"""Rules within loops: as where the same network has its steps written out one after the other, and
adding up to the difference.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers
from jkeras.programs.loops import through_loop
from jkeras.programs.tape import Tape, gradient

RANDOM = np.random.default_rng(0)
X, BEFORE = RANDOM.normal(size=(2, 3, 5, 4)).astype("float32")


def pair(make):
    """A network with a loop, and the same without."""
    models = []
    for unroll in (False, True):
        model = jkeras.Sequential([jkeras.Input((5, 4)), *make(unroll), layers.Dense(2)])
        random = np.random.default_rng(1)
        for weight in model.weights:
            weight.assign(0.7 * random.normal(size=weight.shape))
        models.append(model)
    return models


def adds_up(model, ours, x, before, tolerance=1e-5):
    scores = [model.predict(v, verbose=0)[:, 1] for v in (x, before)]
    difference = scores[0] - scores[1]
    size = np.abs(scores).max()
    assert np.abs(difference).max() > 0.01 * size
    np.testing.assert_allclose(ours.sum((1, 2)), difference, atol=tolerance * size)


NETWORKS = {
    "LSTM": lambda u: [layers.LSTM(3, unroll=u)],
    "GRU": lambda u: [layers.GRU(3, unroll=u)],
    "GRU, reset before": lambda u: [layers.GRU(3, reset_after=False, unroll=u)],
    "SimpleRNN": lambda u: [layers.SimpleRNN(3, unroll=u, activation="relu")],
    "sequences": lambda u: [layers.LSTM(3, unroll=u, return_sequences=True), layers.Flatten()],
    "backwards": lambda u: [
        layers.GRU(3, unroll=u, go_backwards=True, return_sequences=True),
        layers.Flatten(),
    ],
    "bidirectional": lambda u: [
        layers.Bidirectional(layers.LSTM(2, unroll=u, return_sequences=True)),
        layers.Bidirectional(layers.GRU(2, unroll=u), merge_mode="sum"),
    ],
}


@pytest.mark.promise("`deep_lift` goes through loops")
@pytest.mark.parametrize("name", NETWORKS)
def test_steps_in_a_loop_are_as_steps_in_a_row(name):
    loop, row = pair(NETWORKS[name])
    run = lambda model: explain.deep_lift(model, X, 1, baseline=BEFORE)  # noqa: E731
    ours, wanted = run(loop), run(row)
    adds_up(loop, ours, X, BEFORE)
    np.testing.assert_allclose(ours, wanted, atol=1e-6 * np.abs(wanted).max())


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_scales(scale):
    loop, row = pair(NETWORKS["LSTM"])
    run = lambda model: explain.deep_lift(model, scale * X, 1, baseline=scale * BEFORE)  # noqa: E731
    ours, wanted = run(loop), run(row)
    np.testing.assert_allclose(ours, wanted, atol=1e-5 * np.abs(wanted).max())
    scores = [loop.predict(scale * v, verbose=0)[:, 1] for v in (X, BEFORE)]
    np.testing.assert_allclose(
        ours.sum((1, 2)), scores[0] - scores[1], rtol=1e-2 if scale < 1 else 1e-5, atol=1e-6
    )


@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU])
def test_masked_texts(layer):
    """Padding has no part; texts of other lengths."""
    jkeras.utils.set_random_seed(0)
    texts = RANDOM.integers(1, 9, (3, 6))
    texts[0, 4:] = texts[1, 2:] = 0
    model = jkeras.Sequential(
        [
            jkeras.Input((6,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True, name="words"),
            layers.Bidirectional(layer(3, return_sequences=True)),
            layer(2),
            layers.Dense(2),
        ]
    )
    ours = explain.deep_lift(model, texts, 1, at="words")
    assert not ours[texts == 0].any() and ours[texts != 0].all()
    y, _, seen = model.tap(model.params, model.state, texts, at=["words"])
    y_0 = model.tap(model.params, model.state, texts, add={"words": -seen["words"]})[0]
    np.testing.assert_allclose(ours.sum((1, 2)), (y - y_0)[:, 1], atol=1e-6)


@pytest.mark.promise("`Masking` of floats lets the mask")
def test_masks_that_follow_from_the_input():
    """They are refused, and stay as they are behind the layer that makes them."""
    jkeras.utils.set_random_seed(0)
    masking = layers.Masking(name="masking")
    model = jkeras.Sequential([jkeras.Input((5, 4)), masking, layers.GRU(3), layers.Dense(2)])
    x = X.copy()
    x[0, 3:] = 0
    with pytest.raises(ValueError, match=r"a rule for, received `select_n` in layer 'gru'"):
        explain.deep_lift(model, x, 1)
    ours = explain.deep_lift(model, x, 1, at="masking")
    assert not ours[0, 3:].any()
    y = model.apply(model.params, model.state, x)[0]
    y_0 = model.tap(model.params, model.state, x, add={"masking": -x})[0]
    np.testing.assert_allclose(ours.sum((1, 2)), (y - y_0)[:, 1], atol=1e-6)


@pytest.mark.promise("A layer that is `stateful` is refused")
@pytest.mark.parametrize("method", [explain.deep_lift, explain.lrp, explain.saliency])
def test_layers_that_go_on_from_the_last_call_are_refused(method):
    inputs = jkeras.Input(batch_shape=(3, 5, 4))
    inner = jkeras.Model(inputs, layers.Bidirectional(layers.GRU(3, stateful=True))(inputs))
    model = jkeras.Model(inputs, inner(inputs))
    with pytest.raises(ValueError, match="layer '.*/bidirectional.*`stateful=True`"):
        method(model, X, 1)


def test_a_background_of_rows():
    loop, row = pair(NETWORKS["GRU"])
    ours, wanted = (explain.deep_lift(m, X, 1, background=BEFORE) for m in (loop, row))
    np.testing.assert_allclose(ours, wanted, atol=1e-6 * np.abs(wanted).max())


@pytest.mark.promise("`deep_lift` goes through loops")
def test_equal_layers_in_a_loop():
    """A `Stack` of blocks of a transformer, by both methods of rules."""
    jkeras.utils.set_random_seed(0)
    inputs = jkeras.Input((5, 4))
    y = layers.Dense(4, activation="gelu", use_bias=False)(inputs)
    block = jkeras.Model(inputs, layers.Add()([inputs, y]))
    model = jkeras.Sequential(
        [jkeras.Input((5, 4)), layers.Stack(block, 3), layers.GlobalAveragePooling1D()]
    )
    ours = explain.deep_lift(model, X, 1, baseline=BEFORE)
    adds_up(model, ours, X, BEFORE)
    shares = explain.lrp(model, X, 1, epsilon=1e-9)
    np.testing.assert_allclose(shares.sum((1, 2)), model.predict(X, verbose=0)[:, 1], atol=1e-5)


LOOPS = {
    # a value from outside that depends on the variable, at all steps
    "constant": lambda x: jax.lax.scan(lambda c, v: (c * x[:, 0] + v, v * c), x[:, 1], x.T)[0],
    "results alone": lambda x: jax.lax.scan(lambda c, v: (c + 1, v * c), jnp.zeros(len(x)), x.T)[
        1
    ].sum(0),
    "from the second step on": lambda x: jax.lax.scan(
        lambda c, v: (v, c * v), jnp.ones(len(x)), x.T
    )[1].sum(0),
    "reversed": lambda x: jax.lax.scan(
        lambda c, v: (jnp.tanh(c + v), c), x[:, 0], x.T, reverse=True
    )[1][0],
    "a loop in a loop": lambda x: jax.lax.scan(
        lambda c, v: (jax.lax.scan(lambda d, _: (jnp.sin(d * v), None), c, None, 3)[0], None),
        jnp.ones(len(x)),
        x.T,
    )[0],
    "for": lambda x: jax.lax.fori_loop(0, 4, lambda i, c: c * jnp.asarray(x)[:, i] + 1, x[:, 0]),
    "no steps": lambda x: jax.lax.scan(lambda c, v: (c * v, v), x[:, 0], x.T[:0])[0],
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_of_all_kinds(name):
    """The gradient by the tape is JAX's, and differences add up."""
    function = LOOPS[name]
    x, before = X[:, 0], BEFORE[:, 0]
    tape = Tape(lambda x: function(x).sum(), jnp.asarray(x))

    def rule(tape, entry, coming):
        if entry.primitive.name == "scan":
            return through_loop(tape, entry, coming, lambda _: rule)
        return gradient(tape, entry, coming)

    assert any(entry.primitive.name == "scan" for entry in tape.entries)
    wanted = jax.grad(lambda x: function(x).sum())(jnp.asarray(x))
    np.testing.assert_allclose(tape.backwards(rule, jnp.ones(())), wanted, rtol=1e-4, atol=1e-5)
    ours = explain.deep_lift(function, x, baseline=before)
    np.testing.assert_allclose(ours.sum(1), function(x) - function(before), rtol=1e-4, atol=1e-5)


def test_loops_that_depend_on_the_input_are_refused():
    def until(x):
        return jax.lax.while_loop(lambda c: (c < 9).any(), lambda c: c * 2, jnp.abs(x).sum(1) + 1)

    def counted(x):  # an integer that is carried on depends on the input
        step = lambda c, v: (c + (v > 0), v + c)  # noqa: E731
        return jax.lax.scan(step, jnp.zeros(len(x), "int32"), x.T)[1].sum(0)

    for function, name in ((until, "while"), (counted, "convert_element_type")):
        for method in (explain.deep_lift, explain.lrp):
            with pytest.raises(ValueError, match=f"a rule for, received `{name}`"):
                method(function, X[:, 0])
