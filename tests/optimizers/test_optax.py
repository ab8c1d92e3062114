"""Optax transformations as optimizers of models, against a hand-written optax loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from tests.thinning import every

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def model_of(optimizer, **options):
    jkeras.utils.set_random_seed(3)
    model = jkeras.Sequential(
        [
            jkeras.Input((3,)),
            jkeras.layers.Dense(4, "tanh", name="first"),
            jkeras.layers.Dense(1, name="last"),
        ]
    )
    model.compile(optimizer, "mse", **options)
    return model


def params_of(model):
    return {
        layer: {w.name: np.asarray(w) for w in model.get_layer(layer).weights}
        for layer in ("first", "last")
    }


def forward(params, x):
    hidden = jnp.tanh(x @ params["first"]["kernel"] + params["first"]["bias"])
    return hidden @ params["last"]["kernel"] + params["last"]["bias"]


def loss_of(params):
    return jnp.mean((forward(params, X) - Y) ** 2)


def by_hand(tx, params, steps):
    """The parameters after some steps of an optax loop on the whole data."""
    state = tx.init(params)
    for _ in range(steps):
        value, grads = jax.value_and_grad(loss_of)(params)
        told = {"value": value, "grad": grads, "value_fn": loss_of}
        updates, state = optax.with_extra_args_support(tx).update(grads, state, params, **told)
        params = optax.apply_updates(params, updates)
    return params


def fit(model, epochs=4, **options):
    return model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, **options)


def same(mine, theirs, rtol=2e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol, 1e-6), mine, theirs)


def kernels(params):
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def labels(params):
    return jax.tree_util.tree_map_with_path(lambda path, _: path[0].key, params)


TRANSFORMATIONS = {
    "multi_transform of a function": lambda: optax.multi_transform(
        {"first": optax.sgd(0.1), "last": optax.adam(0.01)}, labels
    ),
    "multi_transform of a tree": lambda: optax.multi_transform(
        {"a": optax.sgd(0.1), "b": optax.set_to_zero()},
        {"first": "a", "last": {"kernel": "a", "bias": "b"}},
    ),
    "a mask by names": lambda: optax.adamw(0.01, weight_decay=0.1, mask=kernels),
    "lbfgs": lambda: optax.lbfgs(),
    "a line search": lambda: optax.chain(
        optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=8)
    ),
    "reduce_on_plateau": lambda: optax.chain(
        optax.sgd(0.1), optax.contrib.reduce_on_plateau(factor=0.5, patience=1, atol=1.0)
    ),
}


@pytest.mark.promise("In `fit` it is passed the")
@pytest.mark.promise("Masks and the labels of")
@pytest.mark.parametrize("name", every(2, TRANSFORMATIONS))
def test_what_goes_by_names_or_wants_the_loss_trains(name):
    model = model_of(TRANSFORMATIONS[name]())
    want = by_hand(TRANSFORMATIONS[name](), params_of(model), 4)
    fit(model)
    same(params_of(model), want)


def test_an_optimizer_built_by_hand_is_lined_up_with_the_model():
    make = TRANSFORMATIONS["a mask by names"]
    model = model_of(make())
    model.optimizer.build(model.trainable_variables)
    want = by_hand(make(), params_of(model), 4)
    fit(model)
    same(params_of(model), want)


def test_names_are_seen_through_a_wrapped_optimizer():
    make = TRANSFORMATIONS["a mask by names"]
    inner = jkeras.optimizers.get(make())
    model = model_of(jkeras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0))
    want = by_hand(make(), params_of(model), 4)
    fit(model)
    same(params_of(model), want)


def test_an_optimizer_for_each_part_may_be_a_line_search():
    slow = jkeras.optimizers.SGD(0.0)
    search = jkeras.optimizers.get(TRANSFORMATIONS["lbfgs"]())
    parts = jkeras.optimizers.OptimizerMap(slow, {".*first/.*": search})
    model = model_of(jkeras.optimizers.MultiOptimizer(parts))
    before, start = params_of(model), float(loss_of(params_of(model)))
    fit(model)
    same(params_of(model)["last"], before["last"], rtol=0)
    assert float(loss_of(params_of(model))) < start / 2


def test_microbatches_line_search_over_the_whole_batch():
    model = model_of(optax.lbfgs(), microbatches=2)
    want = by_hand(optax.lbfgs(), params_of(model), 3)
    fit(model, epochs=3)
    same(params_of(model), want)


def test_train_on_batch_and_gradients_by_hand():
    make = TRANSFORMATIONS["multi_transform of a tree"]
    model = model_of(make())
    want = by_hand(make(), params_of(model), 2)
    model.train_on_batch(X, Y)
    flat = jax.grad(loss_of)(params_of(model))
    grads = [flat[layer.name][w.name] for layer in model.layers for w in layer.weights]
    model.optimizer.apply(grads, model.trainable_variables)
    same(params_of(model), want)


def test_a_line_search_without_the_loss_says_where_it_comes_from():
    model = model_of(optax.lbfgs())
    grads = [np.zeros(w.shape, "float32") for w in model.trainable_variables]
    with pytest.raises(TypeError, match="`fit` and `make_train_step` pass `value=`"):
        model.optimizer.apply(grads, model.trainable_variables)


@pytest.mark.promise("`optax.MultiSteps` and `optax.lookahead`")
def test_multisteps_objects_are_optimizers():
    model = model_of(optax.MultiSteps(optax.adam(0.01), 2))
    want = by_hand(
        optax.MultiSteps(optax.adam(0.01), 2).gradient_transformation(), params_of(model), 4
    )
    fit(model)
    same(params_of(model), want)


@pytest.mark.promise("`optax.MultiSteps` and `optax.lookahead`")
def test_lookahead_keeps_the_slow_parameters():
    tx = optax.lookahead(optax.sgd(0.1), 3, 0.5)
    model = model_of(tx)
    pair = optax.LookaheadParams.init_synced(params_of(model))
    state = tx.init(pair)
    for _ in range(5):
        updates, state = tx.update(jax.grad(loss_of)(pair.fast), state, pair)
        pair = optax.apply_updates(pair, updates)
    fit(model, epochs=5)
    same(params_of(model), pair.slow)


# ---------------------------------------------------------------- rates


@pytest.mark.promise("`model.optimizer.learning_rate` shows the")
def test_the_rate_of_a_schedule_is_seen():
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    model = model_of(optax.chain(optax.clip(1.0), optax.adamw(schedule)))
    fit(model, epochs=4)
    np.testing.assert_allclose(model.optimizer.learning_rate, 0.06, rtol=1e-6)


def test_an_injected_schedule_is_seen():
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    model = model_of(optax.inject_hyperparams(optax.sgd)(learning_rate=schedule))
    fit(model, epochs=4)
    np.testing.assert_allclose(np.asarray(model.optimizer.learning_rate), 0.07, rtol=1e-6)


def test_before_there_is_a_state_its_rate_is_not_called_hidden():
    model = model_of(optax.inject_hyperparams(optax.adam)(learning_rate=0.1))
    with pytest.raises(AttributeError, match="not there yet"):
        model.optimizer.learning_rate  # noqa: B018
    model.optimizer.build(model.trainable_variables)
    np.testing.assert_allclose(np.asarray(model.optimizer.learning_rate), 0.1, rtol=1e-6)


def test_a_hidden_rate_is_an_attribute_error():
    model = model_of(optax.adam(0.1))
    fit(model, epochs=1)
    assert not hasattr(model.optimizer, "learning_rate")


# ---------------------------------------------------------------- files


@pytest.mark.promise("A model that was loaded")
@pytest.mark.promise("A transform is code, so")
@pytest.mark.promise("An optax transform may")
@pytest.mark.promise("Give it again, and training")
@pytest.mark.promise("Without it the model is loaded uncompiled, with a warning")
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_file_has_weights_and_state_and_training_goes_on(ending, tmp_path):
    make, path = TRANSFORMATIONS["multi_transform of a function"], tmp_path / f"model{ending}"
    model = model_of(make())
    fit(model, epochs=2)
    with pytest.warns(UserWarning, match="the file has its state, not the transformation"):
        model.save(path)
    with pytest.warns(UserWarning, match=r"load_model\(path, optimizer="):
        bare = jkeras.models.load_model(path)
    assert not bare.compiled
    np.testing.assert_array_equal(bare.predict(X, verbose=0), model.predict(X, verbose=0))
    again = jkeras.models.load_model(path, optimizer=make())
    fit(model, epochs=2)
    fit(again, epochs=2)
    same(params_of(again), params_of(model), rtol=0)


def test_a_checkpoint_callback_writes_whole_models(tmp_path):
    model = model_of(optax.adamw(1e-3))
    callback = jkeras.callbacks.ModelCheckpoint(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="optax transformation"):
        fit(model, epochs=2, callbacks=[callback])
    again = jkeras.models.load_model(tmp_path / "m.keras", optimizer=optax.adamw(1e-3))
    assert int(again.optimizer.iterations) == 2


def test_keras_reads_the_weights(tmp_path):
    keras = pytest.importorskip("keras")
    model = model_of(optax.adamw(1e-3))
    fit(model, epochs=1)
    with pytest.warns(UserWarning):
        model.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras", compile=False)
    np.testing.assert_allclose(theirs.predict(X, verbose=0), model.predict(X, verbose=0), 1e-5)


def test_a_clone_in_the_process_keeps_the_transformation():
    model = model_of(optax.adam(0.01))
    clone = jkeras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    fit(model, epochs=2)
    fit(clone, epochs=2)
    same(params_of(clone), params_of(model), rtol=0)


def test_unfreezing_keeps_what_is_known_of_the_rest():
    model = model_of(optax.sgd(0.1, momentum=0.9))
    model.get_layer("last").trainable = False
    model.compile(model.optimizer, "mse")
    fit(model, epochs=2)
    trained = params_of(model)
    model.get_layer("last").trainable = True
    model.compile(model.optimizer, "mse")
    fit(model, epochs=1)
    tx = optax.sgd(0.1, momentum=0.9)
    start = params_of(model_of(tx))
    state = tx.init(start["first"])
    first = start["first"]
    for _ in range(2):
        grads = jax.grad(lambda first: loss_of({**start, "first": first}))(first)
        updates, state = tx.update(grads, state, first)
        first = optax.apply_updates(first, updates)
    same(trained["first"], first)
    grads = jax.grad(loss_of)({**start, "first": first})
    updates, _ = tx.update(grads["first"], state, first)
    same(params_of(model)["first"], optax.apply_updates(first, updates))
    same(
        params_of(model)["last"],
        jax.tree.map(lambda p, g: p - 0.1 * g, start["last"], grads["last"]),
    )


class Plain(jkeras.optimizers.Optimizer):
    """Written as in Keras, with a variable for each parameter."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.sums = self.add_optimizer_variables(variables, "sum")

    def update_step(self, gradient, variable, learning_rate):
        total = self.sums[self._get_variable_index(variable)]
        self.assign_add(total, gradient)
        self.assign_sub(variable, learning_rate * total.value)


OPTIMIZERS = {
    "scalars": lambda: jkeras.optimizers.Nadam(0.01),
    "loss scale": lambda: jkeras.optimizers.LossScaleOptimizer(jkeras.optimizers.Adam(0.01)),
    "loss scale of one's own": lambda: jkeras.optimizers.LossScaleOptimizer(Plain(0.01)),
    "several": lambda: jkeras.optimizers.MultiOptimizer(
        jkeras.optimizers.OptimizerMap(
            jkeras.optimizers.Adam(0.01), {".*bias": jkeras.optimizers.SGD(0.1, momentum=0.9)}
        )
    ),
    "optax": lambda: jkeras.optimizers.get(optax.adam(0.01)),
    "optax in a loss scale": lambda: jkeras.optimizers.LossScaleOptimizer(
        jkeras.optimizers.get(optax.adam(0.01))
    ),
}


@pytest.mark.parametrize("name", every(2, OPTIMIZERS))
def test_unfreezing_a_layer_that_moves_nothing_changes_nothing(name):
    """A layer whose gradients are zero: training with it frozen at first, or never, is the same."""
    results = []
    for frozen in (True, False):
        jkeras.utils.set_random_seed(3)
        x = jkeras.Input((3,))
        still = jkeras.layers.Dense(1, name="still", trainable=not frozen)
        y = jkeras.layers.Dense(1, name="moving")(x) + 0.0 * still(x)
        model = jkeras.Model(x, y)
        optimizer = OPTIMIZERS[name]()
        model.compile(optimizer, "mse")
        fit(model, epochs=2)
        still.trainable = True
        model.compile(optimizer, "mse")
        fit(model, epochs=2)
        results.append({w.path: np.asarray(w) for w in model.weights})
    assert results[0].keys() == results[1].keys()
    same(*results)
