"""TernaryDense against its formula, and what `quantize("ternary")` keeps of weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, quantizers

X = np.random.default_rng(0).normal(size=(4, 7)).astype("float32")


def built(cls=layers.TernaryDense, **options):
    layer = cls(6, **options)
    layer.build(X.shape)
    return layer


def by_hand(kernel, threshold=None):
    beta = np.mean(np.abs(kernel))
    if threshold is None:
        return beta * np.sign(kernel) * (np.abs(kernel) > beta / 2)
    return np.sign(kernel) * (np.abs(kernel) > threshold)


@pytest.mark.parametrize("threshold", [None, 0.0, 0.3, 1e9])
def test_output_is_by_the_signs(threshold):
    layer = built(threshold=threshold, bias_initializer="ones")
    kernel = np.asarray(layer.kernel)
    want = X @ by_hand(kernel, threshold) + 1
    np.testing.assert_allclose(layer(X), want, rtol=1e-5, atol=1e-6)


def test_gradient_takes_signs_for_weights():
    layer = built(threshold=0.3)
    params, state = layer.init(0, X)

    def total(params):
        y, _ = layer.apply(params, state, X)
        return jnp.sum(y)

    want = np.repeat(X.sum(0)[:, None], 6, axis=1)
    np.testing.assert_allclose(jax.grad(total)(params)["kernel"], want, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"threshold": 0.2}, {"use_bias": False}])
@pytest.mark.parametrize("cls", [layers.TernaryDense, layers.Dense])
def test_quantized_keeps_the_signs_in_bytes(cls, options, tmp_path):
    if cls is layers.Dense:
        options = {k: v for k, v in options.items() if k != "threshold"}
    layer = built(cls, activation="relu", **options)
    model = jkeras.Sequential([jkeras.Input((7,)), layer])
    want = np.maximum(X @ by_hand(np.asarray(layer.kernel), options.get("threshold")), 0)
    model.quantize("ternary", filters="dense")
    np.testing.assert_allclose(model.predict(X, verbose=0), want, rtol=1e-5, atol=1e-6)
    stored = {v.name: (str(v.dtype), tuple(v.shape)) for v in layer.variables}
    assert stored["kernel"] == ("uint8", (2, 6)) and stored["kernel_scale"][1] == ()
    layer.save_own_variables(store := {})
    assert [store[key].shape for key in sorted(store)][0] == (2, 6)  # files begin with the kernel
    assert layer.dtype_policy.name == "ternary_from_float32"
    model.save(tmp_path / "m.keras")
    again = jkeras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), want, rtol=1e-5, atol=1e-6)


def test_a_layer_of_this_policy_begins_with_zeros():
    layer = built(layers.Dense, dtype="ternary_from_float32")
    np.testing.assert_array_equal(layer(X), np.zeros((4, 6)))


def test_config_and_wrong_arguments():
    layer = built(threshold=0.5)
    assert layers.TernaryDense.from_config(layer.get_config()).threshold == 0.5
    config = quantizers.TernaryQuantizationConfig()
    assert quantizers.deserialize(quantizers.serialize(config)).mode == "ternary"
    with pytest.raises(ValueError, match="threshold=-1"):
        layers.TernaryDense(2, threshold=-1)
    with pytest.raises(ValueError, match="units=0"):
        layers.TernaryDense(0)
    with pytest.raises(NotImplementedError, match="int8"):
        built().quantize("int8")


def test_training_lowers_the_loss():
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential([jkeras.Input((7,)), layers.TernaryDense(6)])
    model.compile(jkeras.optimizers.Adam(0.03), "mse")
    history = model.fit(X, X[:, :6], epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.9 * history[0]


def test_the_report_says_what_became_of_each_layer():
    model = jkeras.Sequential(
        [jkeras.Input((7,)), layers.Dense(3, name="kept"), layers.Dense(3, name="changed")]
    )
    report = model.quantize("int8", filters="changed")
    assert report.quantized == [(model.layers[1].path, "int8", "int8_from_float32")]
    assert report.skipped_by_reason(report.SKIP_FILTERED)[-1] == model.layers[0].path
    assert "changed (int8)" in report.render() and report.summary_warning() is None


def test_layers_that_cannot_be_quantized_are_in_the_report():
    model = jkeras.Sequential([jkeras.Input((7,)), layers.Dropout(0.1, name="drop")])
    with pytest.warns(UserWarning, match="Dropout"):
        report = model.quantize("int8", filters="drop")
    assert report.num_quantized == 0
    assert report.skipped_by_reason(report.SKIP_NO_SUPPORT) == ["drop"]
    assert "1 layer(s)" in report.summary_warning()
