"""`compile(lora=)`: what is trained, what is kept in files, and what else may be done with it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import layers, lora
from jkeras.training import init_train_state, make_train_step
from tests.lora.models import (
    FAMILIES,
    IN_FEW_BITS,
    X,
    Y,
    changing,
    inputs_of,
    with_attention,
    with_dense,
)

pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")

MODES = [None, "int8", "int4"]


def tuned(make=with_dense, spec=2, epochs=2, optimizer="adam", mode=None, **fit):
    jkeras.utils.set_random_seed(0)
    model = make()
    if mode is not None:
        model.quantize(mode)
    model.compile(optimizer, "mse", lora=spec)
    model.fit(inputs_of(model), Y, epochs=epochs, batch_size=3, verbose=0, **fit)
    return model


def base(model):
    """The weights that are not the adapter's."""
    return {v.path: np.array(v.value) for v in model.weights if "_adapter_" not in v.name}


def assert_equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


# ---------------------------------------------------------------- a training


BASES = [(make, None) for make in FAMILIES]
BASES += [(make, mode) for make in IN_FEW_BITS for mode in MODES[1:]]


@pytest.mark.promise("trains low-rank adapters alone; they are a value")
@pytest.mark.promise("`compile(lora=8)` trains low-rank")
@pytest.mark.promise("All else is frozen and equal to the bit afterwards")
@pytest.mark.parametrize("make, mode", BASES)
def test_the_adapter_alone_is_trained(make, mode):
    jkeras.utils.set_random_seed(0)
    model = make()
    if mode:
        model.quantize(mode)
    x, before = inputs_of(model), base(model)
    model.compile(jkeras.optimizers.Adam(0.01), "mse", lora=2)
    losses = model.fit(x, Y, epochs=8, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < losses[0]
    assert_equal(base(model), before)
    assert all(np.any(pair[m]) for pair in model.lora.matrices.values() for m in "ab")


def test_a_step_is_that_of_the_pure_form():
    model = with_dense()
    adapter = changing(model)
    params, state = model.params, model.state

    def loss(adapter):
        y, _ = model.apply(lora.apply(params, adapter), state, X, training=False)
        return jnp.mean((y - Y) ** 2)

    grads = jax.grad(loss)(adapter)
    expected = jax.tree.map(lambda v, g: v - 0.1 * g, adapter, grads)
    model.compile(jkeras.optimizers.SGD(0.1), "mse", lora=adapter)
    model.fit(X, Y, batch_size=len(X), verbose=0)
    assert model.lora.alpha == adapter.alpha
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), model.lora, expected)


def test_the_optimizer_knows_the_adapter_alone():
    model = tuned()
    sizes = [v.shape for v in model.trainable_weights]
    moments = [v.shape for v in model.optimizer.variables if v.shape]
    assert sizes and sorted(moments) == sorted(2 * sizes)  # Adam has two of each


@pytest.mark.promise("`predict`, `evaluate`, `fit(checkpoint=)`")
@pytest.mark.parametrize("mode", MODES)
def test_predict_call_and_evaluate_use_it(mode):
    model = tuned(mode=mode, epochs=3)
    y = model.predict(X, verbose=0)
    np.testing.assert_allclose(model(X), y, atol=1e-6)
    np.testing.assert_allclose(model.apply(model.params, model.state, X)[0], y, atol=1e-6)
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), np.mean((y - Y) ** 2), rtol=1e-5)
    adapter = model.lora
    lora.detach(model)
    assert np.abs(model.predict(X, verbose=0) - y).max() > 1e-4
    params = lora.apply(model.params, adapter, model.state)
    np.testing.assert_allclose(model.apply(params, model.state, X)[0], y, atol=1e-6)


def test_a_model_that_is_not_built_gets_it_with_the_first_batch():
    model = jkeras.Sequential([layers.Dense(8)])
    model.compile("sgd", "mse", lora={"dense/kernel": 2})
    assert model.lora is None
    model.fit(X, Y, verbose=0)
    assert model.lora.ranks == {"dense/kernel": 2}


@pytest.mark.promise("A new head learns beside")
def test_a_head_that_is_unfrozen_is_trained_too():
    model = with_dense()
    model.compile("sgd", "mse", lora={"dense/kernel": 2})
    model.layers[-1].trainable = True
    before = base(model)
    model.fit(X, Y, verbose=0)
    changed = {path for path, value in base(model).items() if np.any(value != before[path])}
    assert {path.split("/", 1)[1] for path in changed} == {"dense_1/kernel", "dense_1/bias"}


def test_in_half_precision_and_with_optax():
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = with_dense()
    finally:
        jkeras.config.set_dtype_policy("float32")
    before = base(model)
    model.compile(optax.adam(1e-2), "mse", lora=2)
    model.fit(X, Y, epochs=2, verbose=0)
    assert_equal(base(model), before)
    assert all(v.dtype == "float32" for v in jax.tree.leaves(model.lora))


def test_a_state_from_a_key_begins_with_the_adapter():
    model = with_dense()
    adapter = changing(model)
    model.compile("sgd", "mse", lora=adapter)
    state = init_train_state(model, jax.random.key(1))
    found = state.params["dense"]["kernel_adapter_a"]
    np.testing.assert_array_equal(found, adapter.matrices["dense/kernel"]["a"])
    state, logs = jax.jit(make_train_step(model))(state, (X, Y))
    assert np.isfinite(logs["loss"])


def test_a_layer_that_is_called_again_and_a_submodel():
    inner = jkeras.Sequential([jkeras.Input((5, 8)), layers.Dense(8)], name="inner")
    inputs = jkeras.Input((5, 8))
    model = jkeras.Model(inputs, inner(inner(inputs)))
    model.compile("sgd", "mse", lora=changing(model))
    y = model.predict(X, verbose=0)
    adapter = model.lora
    lora.detach(model)
    params = lora.apply(model.params, adapter)
    np.testing.assert_allclose(model.apply(params, model.state, X)[0], y, atol=1e-6)


@pytest.mark.promise("The base may be in 8 or")
@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_a_base_that_is_quantized_below_its_adapter(mode):
    """The kernels lose bits, the change does not."""
    model = jkeras.Sequential([jkeras.Input((5, 8)), layers.Dense(8)])
    without = model(X)
    lora.attach(model, changing(model))
    change = model(X) - without
    model.quantize(mode)
    y = model(X)
    lora.detach(model)
    np.testing.assert_allclose(y - model(X), change, atol=1e-5)


def test_rows_that_are_clipped():
    """With `privacy`: the noise is of the adapter's few numbers."""
    model = jkeras.Sequential([jkeras.Input((5, 8)), layers.Dense(8)])
    before = base(model)
    dp = jkeras.privacy.DPSGD(1.0, 1.0, delta=1e-3)
    model.compile("sgd", "mse", lora=2, privacy=dp)
    history = model.fit(X, Y, batch_size=3, verbose=0).history
    assert history["epsilon"][0] > 0
    assert_equal(base(model), before)


# ---------------------------------------------------------------- compile again, take off


def test_compile_again_keeps_it():
    model = tuned(epochs=3)
    before = model.lora
    model.compile("sgd", "mse")
    assert_equal(model.lora, before)
    model.compile("sgd", "mse", lora=2)
    assert_equal(model.lora, before)
    model.compile("sgd", "mse", lora=3)
    assert set(model.lora.ranks.values()) == {3}


def test_take_off_and_train_on():
    model = tuned()
    adapter = model.lora
    y = model.predict(X, verbose=0)
    lora.detach(model)
    model.params = lora.merge(model.params, adapter)
    np.testing.assert_allclose(model.predict(X, verbose=0), y, atol=1e-6)
    model.trainable = True
    before = base(model)
    model.fit(X, Y, verbose=0)
    assert any(np.any(value != before[path]) for path, value in base(model).items())


# ---------------------------------------------------------------- files


@pytest.mark.promise("`predict`, `evaluate`, `fit(checkpoint=)`")
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".npz"])
@pytest.mark.parametrize("mode", MODES)
def test_weights_in_files(ending, mode, tmp_path):
    model = tuned(mode=mode)
    twin = tuned(mode=mode, epochs=0)
    twin.compile("adam", "mse", lora=changing(twin, alpha=5.0))
    model.save_weights(tmp_path / f"model{ending}")
    twin.load_weights(tmp_path / f"model{ending}")
    assert_equal(twin.lora, model.lora)
    assert twin.lora.alpha == model.lora.alpha
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))


IN_FILES = [(with_dense, {"dense/kernel": 3, "dense_1/kernel": 2}, mode) for mode in MODES]
IN_FILES += [(with_attention, {".*(query|output).*kernel": 2}, "int8")]


@pytest.mark.promise("`predict`, `evaluate`, `fit(checkpoint=)`")
@pytest.mark.parametrize("make, spec, mode", IN_FILES)
def test_whole_models_in_files(make, spec, mode, tmp_path):
    model = tuned(make, spec, mode=mode)
    model.save(tmp_path / "model.keras")
    loaded = jkeras.models.load_model(tmp_path / "model.keras")
    assert_equal(loaded.lora, model.lora)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    before = base(loaded)
    loaded.fit(X, Y, verbose=0)
    assert_equal(base(loaded), before)


@pytest.mark.promise("`predict`, `evaluate`, `fit(checkpoint=)`")
def test_a_training_that_goes_on_from_a_checkpoint(tmp_path):
    whole = tuned(epochs=4, seed=1)
    tuned(epochs=2, seed=1, checkpoint=tmp_path)
    resumed = tuned(epochs=4, seed=1, checkpoint=tmp_path)
    assert_equal(resumed.lora, whole.lora)


@pytest.mark.promise("trains low-rank adapters alone; they are a value")
def test_the_adapter_of_a_training_in_a_folder_of_peft(tmp_path):
    model = tuned(with_attention)
    lora.save(tmp_path, model.lora, lora.kernels(model))
    other = with_attention()
    other.set_weights(list(base(model).values()))
    other.compile("adam", "mse", lora=lora.load(tmp_path, lora.kernels(other)))
    np.testing.assert_allclose(other.predict(X, verbose=0), model.predict(X, verbose=0), atol=1e-6)


# ---------------------------------------------------------------- what is refused


class Own(layers.Layer):
    """Reads its kernel in a `call` of its own."""

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], 8), name="kernel")

    def call(self, x):
        return x @ self.kernel


def test_a_layer_with_a_call_of_its_own():
    model = jkeras.Sequential([jkeras.Input((5, 8)), Own()])
    before = len(model.weights)
    with pytest.raises(ValueError, match="Own.*`call` that reads 'kernel'.*`jkeras.lora.apply`"):
        model.compile("sgd", "mse", lora=2)
    assert len(model.weights) == before and len(model.trainable_weights) == before


def test_an_adapter_that_does_not_fit():
    model = with_dense()
    with pytest.raises(ValueError, match="expected a kernel at 'multi_head"):
        model.compile("sgd", "mse", lora=changing(with_attention()))
    assert model.lora is None and model.trainable_weights


def test_an_attribute_of_the_users_own():
    class Mine(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.lora = layers.Dense(8)

        def call(self, x):
            return self.lora(x)

    model = Mine()
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert isinstance(model.lora, layers.Dense)
