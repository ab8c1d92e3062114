"""Equal layers that follow one another run in a loop while they are trained: what comes out is what
Keras gives, and what a training of single layers does.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers, optimizers
from jkeras.training.step import chains
from jkeras.training import init_train_state, make_train_step
from jkeras.training.step.stacked import StackedLayout
from jkeras.training.step.stacked import loop_layout
from tests.thinning import some_slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)).astype("float32")
Y = RNG.normal(size=(20, 1)).astype("float32")
DEPTH = 5
FEWEST = chains.FEWEST


@pytest.fixture(autouse=True)
def short_chains(monkeypatch):
    monkeypatch.setattr(chains, "FEWEST", 3)


def network(of=jkeras, functional=False, repeated=None):
    """Two chains of equal layers with others around them."""
    make = repeated or (lambda: of.layers.Dense(4, "tanh"))
    parts = [
        *[make() for _ in range(DEPTH)],
        of.layers.Dense(6, "relu"),
        *[of.layers.Dense(6, "relu", name=f"wide_{i}") for i in range(3)],
        of.layers.Dense(1),
    ]
    if not functional:
        return of.Sequential([of.Input((3,)), *parts])
    x = y = of.Input((3,))
    for part in parts:
        y = part(y)
    return of.Model(x, y)


def compiled(optimizer="adam", model=None, **arguments):
    model = model or network()
    values = np.random.default_rng(1)
    model.set_weights([values.normal(size=w.shape, scale=0.5) for w in model.get_weights()])
    model.compile(optimizer, "mse", metrics=["mae"], **arguments)
    return model


def is_stacked(model):
    return isinstance(loop_layout(model), StackedLayout)


def all_values(model):
    return [np.asarray(v) for v in [*model.weights, *model.optimizer.variables]]


def assert_close(values, expected, **tolerances):
    assert len(values) == len(expected)
    for value, other in zip(values, expected):
        np.testing.assert_allclose(value, other, **{"rtol": 1e-4, "atol": 1e-6} | tolerances)


@pytest.mark.promise("Nothing else changes: its weights are those of single layers")
@pytest.mark.parametrize("functional", [False, True])
def test_as_keras(functional):
    ours, theirs = (
        compiled("adam", network(of, functional), steps_per_execution=1) for of in (jkeras, keras)
    )
    assert is_stacked(ours)
    options = dict(batch_size=8, epochs=3, shuffle=False, validation_data=(X, Y), verbose=0)
    histories = [model.fit(X, Y, **options).history for model in (ours, theirs)]
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, rtol=1e-4)
    assert_close(ours.get_weights(), theirs.get_weights())
    assert_close(ours.evaluate(X, Y, verbose=0), theirs.evaluate(X, Y, verbose=0))


def step_by_step(model, batches):
    """The weights after a training by a step of single layers."""
    step = jax.jit(make_train_step(model))
    state = init_train_state(model)
    for batch in batches:
        state, _ = step(state, batch)
    model.load_train_state(state)
    return model


ELEMENTWISE = {
    "sgd": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True, global_clipnorm=0.5),
    "adamw": lambda: optimizers.AdamW(0.01, use_ema=True, ema_momentum=0.5),
    "nadam": lambda: optimizers.Nadam(0.01, gradient_accumulation_steps=2),
    "adamax": lambda: optimizers.Adamax(0.01, clipvalue=0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01, centered=True),
    "adagrad": lambda: optimizers.Adagrad(optimizers.schedules.CosineDecay(0.1, 5)),
    "adadelta": lambda: optimizers.Adadelta(0.5),
    "ftrl": lambda: optimizers.Ftrl(0.01, l1_regularization_strength=0.1),
    "lion": lambda: optimizers.Lion(0.01, loss_scale_factor=2.0),
}


@pytest.mark.parametrize("name", some_slow(ELEMENTWISE, "sgd", "adamw", "nadam", "rmsprop"))
def test_optimizers(name):
    model, other = (compiled(ELEMENTWISE[name]()) for _ in range(2))
    assert is_stacked(model)
    model.fit(X, Y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    batches = [(X[:10], Y[:10]), (X[10:], Y[10:])] * 2
    expected = step_by_step(other, batches)
    if model.optimizer.use_ema:  # a `fit` puts the averages in the place of the weights
        model, expected = ([np.asarray(v) for v in m.optimizer.variables] for m in (model, other))
        assert len(model) == len(expected)
    else:
        model, expected = all_values(model), all_values(expected)
    assert_close(model, expected)


def test_a_step_of_single_layers_goes_on_from_stacked_ones():
    model, other = compiled(), compiled()
    model.fit(X, Y, batch_size=20, verbose=0)
    model.train_on_batch(X, Y)
    model.fit(X, Y, batch_size=20, verbose=0)
    assert_close(all_values(model), all_values(step_by_step(other, [(X, Y)] * 3)))


class OwnClass(jkeras.Sequential):
    pass


def exempt():
    optimizer = optimizers.AdamW(0.01)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


UNLIKE = {
    "a limit of each norm": lambda: compiled(optimizers.Adam(clipnorm=1.0)),
    "norms of parameters": lambda: compiled(optimizers.Lamb()),
    "matrices": lambda: compiled(optimizers.Muon()),
    "names": lambda: compiled(exempt()),
    "microbatches": lambda: compiled(microbatches=2),
    "run as it is": lambda: compiled(run_eagerly=True),
    "a class of somebody's": lambda: compiled(
        model=OwnClass([jkeras.Input((3,)), *network().layers])
    ),
}


@pytest.mark.parametrize("what", some_slow(UNLIKE, "a limit of each norm", "microbatches"))
def test_what_looks_at_single_weights_gets_them(what):
    model = UNLIKE[what]()
    assert not is_stacked(model)
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"][0])


SPECIAL = {
    "regularizer": lambda: layers.Dense(3, kernel_regularizer="l2"),
    "activity": lambda: layers.Dense(3, activity_regularizer="l2"),
    "constraint": lambda: layers.Dense(3, kernel_constraint="non_neg"),
    "state": lambda: layers.BatchNormalization(),
    "frozen": lambda: layers.Dense(3, trainable=False),
    "no weights": lambda: layers.Activation("tanh"),
    "many weights": lambda: layers.Dense(200),
    "convolution": lambda: layers.Conv1D(3, 1),
}


@pytest.mark.parametrize("what", SPECIAL)
def test_chains_have_plain_layers_alone(what):
    model = jkeras.Sequential([jkeras.Input((5, 3)), *[SPECIAL[what]() for _ in range(DEPTH)]])
    assert chains.chains_of(model) == []


def test_chains_end_where_somebody_else_looks():
    x = jkeras.Input((4,))
    parts = [layers.Dense(4) for _ in range(7)]
    y, seen = x, []
    for part in parts:
        y = part(y)
        seen.append(y)
    assert chains.chains_of(jkeras.Model(x, y)) == [parts]
    assert chains.chains_of(jkeras.Model(x, [y, seen[3]])) == [parts[:4], parts[4:]]
    assert chains.chains_of(jkeras.Model(x, layers.add([y, seen[2]]))) == [parts[:3], parts[3:]]
    twice = jkeras.Model(x, [y, parts[3](layers.Activation("tanh")(x))])
    assert chains.chains_of(twice) == [parts[:3], parts[4:]]


def test_layers_of_an_inner_model_are_single():
    x = jkeras.Input((4,))
    parts = [layers.Dense(4, "tanh") for _ in range(7)]
    inner = jkeras.Sequential([jkeras.Input((4,)), parts[1]])
    y = x
    for part in parts:
        y = part(y)

    def model():
        return compiled(model=jkeras.Model(x, layers.Dense(1)(inner(y))))

    first = model()
    assert not is_stacked(first)
    assert np.isfinite(first.fit(X[:, [0, 1, 2, 0]], Y, verbose=0).history["loss"][0])


def test_arguments_that_differ_end_a_chain():
    parts = [layers.Dense(4, a) for a in ("relu", "relu", "relu", "tanh", "tanh", "relu", "relu")]
    model = jkeras.Sequential([jkeras.Input((4,)), *parts])
    assert chains.chains_of(model) == [parts[:3]]


@pytest.mark.promise("A chain of 64 or more equal small layers")
@pytest.mark.parametrize("count, is_chain", [(63, False), (64, True)])
def test_from_64_layers_on(monkeypatch, count, is_chain):
    monkeypatch.setattr(chains, "FEWEST", FEWEST)
    equal = [layers.Dense(4) for _ in range(count)]
    found = chains.chains_of(jkeras.Sequential([jkeras.Input((4,)), *equal]))
    assert found == [equal] * is_chain


@pytest.mark.promise("A chain of 64 or more equal small layers")
def test_the_layer_is_traced_a_few_times():
    calls = []

    def counted(x):
        calls.append(x)
        return jnp.tanh(x)

    model = network(repeated=lambda: layers.Dense(4, counted))
    compiled(model=model)
    calls.clear()
    model.fit(X, Y, batch_size=10, verbose=0)
    assert 0 < len(calls) < DEPTH


class Looks(jkeras.callbacks.Callback):
    """Reads one weight after each batch, and sets one after the first epoch."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(np.asarray(self.model.layers[2].kernel))

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.model.layers[3].bias.assign(np.full(4, 0.5, "float32"))


def test_callbacks_see_and_set_weights():
    model, other = compiled(), compiled()
    looks = Looks()
    model.fit(X, Y, batch_size=10, epochs=2, shuffle=False, callbacks=[looks], verbose=0)
    step = jax.jit(make_train_step(other))
    state, seen = init_train_state(other), []
    for number in range(4):
        rows = slice(0, 10) if number % 2 == 0 else slice(10, 20)
        state, _ = step(state, (X[rows], Y[rows]))
        seen.append(np.asarray(state.params["dense_2"]["kernel"]))
        if number == 1:
            changed = state.params["dense_3"] | {"bias": jnp.full(4, 0.5)}
            state = state.replace(params=state.params | {"dense_3": changed})
    assert_close(looks.seen, seen)
    other.load_train_state(state)
    assert_close(all_values(model), all_values(other))


def test_a_loss_that_reads_a_weight_has_its_gradient():
    def with_penalty(model):
        first, third = model.layers[0].kernel, model.layers[2].kernel

        def loss(y_true, y_pred):
            penalty = jnp.sum(first.value**2) + jnp.sum(third.value**3)
            return jnp.mean((y_true - y_pred) ** 2, -1) + penalty

        model.compile("sgd", loss)
        return model

    model, other = (with_penalty(compiled()) for _ in range(2))
    assert is_stacked(model)
    model.fit(X, Y, batch_size=20, verbose=0)
    assert_close(all_values(model), all_values(step_by_step(other, [(X, Y)])))


def test_checkpoints_are_those_of_single_layers(tmp_path, monkeypatch):
    options = dict(batch_size=10, seed=1, verbose=0)
    expected = all_values(trained(4, **options))
    trained(2, checkpoint=tmp_path / "stacked", **options)
    assert_close(all_values(trained(4, checkpoint=tmp_path / "stacked", **options)), expected)
    trained(2, checkpoint=tmp_path / "other", **options)
    monkeypatch.setattr(chains, "FEWEST", 100)
    assert_close(all_values(trained(4, checkpoint=tmp_path / "other", **options)), expected)


def trained(epochs, **options):
    model = compiled()
    model.fit(X, Y, epochs=epochs, **options)
    return model


def test_mixed_precision_and_masks():
    def masked():
        policy = jkeras.DTypePolicy("mixed_bfloat16")
        parts = [layers.Dense(4, "tanh", dtype=policy) for _ in range(DEPTH)]
        return jkeras.Sequential(
            [
                jkeras.Input((3,), dtype="int32"),
                layers.Embedding(5, 4, mask_zero=True),
                *parts,
                layers.GlobalAveragePooling1D(),
                layers.Dense(1),
            ]
        )

    model, other = (compiled("sgd", masked()) for _ in range(2))
    assert is_stacked(model)
    tokens = RNG.integers(0, 5, (20, 3))
    tokens[:, 0] = 1  # the mean over padding alone is NaN
    model.fit(tokens, Y, batch_size=20, verbose=0)
    step_by_step(other, [(jnp.asarray(tokens), Y)])
    assert_close(all_values(model), all_values(other), rtol=2e-2, atol=1e-3)


def test_layers_that_are_frozen_later_are_left_out():
    model = compiled()
    model.fit(X, Y, verbose=0)
    before = np.asarray(model.layers[1].kernel)
    model.layers[1].trainable = False
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert is_stacked(model)  # the second chain
    np.testing.assert_array_equal(model.layers[1].kernel, before)
    model.layers[1].trainable = True
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert np.abs(np.asarray(model.layers[1].kernel) - before).max() > 0


def test_files_of_stacked_weights(tmp_path):
    model = compiled()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = jkeras.models.load_model(tmp_path / "model.keras")
    assert_close(all_values(loaded), all_values(model), rtol=0)
    copy = jkeras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(copy.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)
