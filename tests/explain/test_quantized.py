"""Rules on layers with weights in few bits: the function of these weights, whose inputs are not
rounded.
"""

import numpy as np
import pytest

import jkeras
from jkeras import explain, layers

RANDOM = np.random.default_rng(0)
X, BEFORE = RANDOM.normal(size=(2, 5, 3, 8)).astype("float32")

pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")


def network():
    jkeras.utils.set_random_seed(0)
    return jkeras.Sequential(
        [
            jkeras.Input((3, 8)),
            layers.EinsumDense("abc,cd->abd", (3, 6), bias_axes="d", activation="gelu", name="ein"),
            layers.Flatten(),
            layers.Dense(5, activation="tanh", name="hidden"),
            layers.Dense(2, name="out"),
        ]
    )


def restored(model):
    """The network with the floats that the integers stand for."""
    plain = network()
    for name in ("ein", "hidden", "out"):
        weights = {w.path.split("/")[-1]: w.numpy() for w in model.get_layer(name).weights}
        kernel = weights["kernel"].astype("float32") / weights["kernel_scale"].reshape(1, -1)
        plain.get_layer(name).set_weights([kernel, weights["bias"]])
    return plain


@pytest.mark.promise("Of layers in few bits")
@pytest.mark.parametrize("method", [explain.deep_lift, explain.lrp])
def test_int8_is_the_function_of_its_weights(method):
    model = network()
    model.quantize("int8")
    given = {"baseline": BEFORE} if method is explain.deep_lift else {}
    ours = method(model, X, 1, **given)
    wanted = method(restored(model), X, 1, **given)
    np.testing.assert_allclose(ours, wanted, atol=1e-5 * np.abs(wanted).max())
    rounded = model.predict(X, verbose=0) - restored(model).predict(X, verbose=0)
    assert 1e-5 < np.abs(rounded).max() < 0.05  # what rounding the inputs makes


@pytest.mark.promise("Of layers in few bits")
def test_int4_adds_up_to_what_is_predicted():
    """Whose inputs are not rounded."""
    model = network()
    model.quantize("int4")
    ours = explain.deep_lift(model, X, 1, baseline=BEFORE)
    scores = [model.predict(v, verbose=0)[:, 1] for v in (X, BEFORE)]
    np.testing.assert_allclose(ours.sum((1, 2)), scores[0] - scores[1], atol=1e-5)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_texts(mode):
    jkeras.utils.set_random_seed(0)
    texts = RANDOM.integers(1, 9, (4, 5))
    model = jkeras.Sequential(
        [
            jkeras.Input((5,), dtype="int32"),
            layers.Embedding(9, 8, name="words"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="relu"),
            layers.Dense(2, name="out"),
        ]
    )
    model.layers[-1].bias.assign([0.5, -0.5])
    model.quantize(mode)
    ours = explain.deep_lift(model, texts, 1, at="words")
    vectors = model.tap(model.params, model.state, texts, at=["words"])[2]["words"]
    assert ours.shape == vectors.shape and np.abs(vectors).max() > 0
    gradients = explain.integrated_gradients(model, texts, 1, at="words", steps=300)
    np.testing.assert_allclose(
        ours.sum((1, 2)), gradients.sum((1, 2)), atol=0.03 * np.abs(gradients).sum((1, 2)).max()
    )


def test_the_class_is_that_of_the_same_function():
    """And the model predicts as before, with its inputs rounded."""
    model = network()
    model.quantize("int8")
    before = model.predict(X, verbose=0)
    explain.deep_lift(model, X)
    np.testing.assert_array_equal(model.predict(X, verbose=0), before)
    saliency = explain.saliency(model, X, 1)
    explain.lrp(model, X, 1)
    np.testing.assert_array_equal(explain.saliency(model, X, 1), saliency)
