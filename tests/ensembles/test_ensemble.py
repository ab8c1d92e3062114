"""`fit(ensemble=…)`: each member is what a `fit` alone gives."""

import copy
import pickle
import zipfile

import jax
import keras
import numpy as np
import optax
import pytest

import jkeras
from jkeras import callbacks, explain, layers, uncertainty
from jkeras.core.errors import SerializationError
from jkeras.saving import Checkpointer
from jkeras.training import init_train_state
from jkeras.training.data import array_source

RNG = np.random.default_rng(0)
X = RNG.normal(size=(44, 5)).astype("float32")
Y = RNG.integers(0, 3, 44)
SEED, SIZE = 5, 3
HOW = {"batch_size": 16, "verbose": 0}  # the last batch is smaller


def build(optimizer="adam", **options):
    """Everything that has state or samples numbers."""
    model = jkeras.Sequential(
        [
            jkeras.Input((5,)),
            layers.Dense(6, "relu", name="first"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(3, "softmax"),
        ],
        name="net",
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return model


def alone(number, data=(X, Y), build=build, **how):
    """A member's training without the others."""
    model = build()
    model.load_train_state(init_train_state(model, SEED + number))
    model.fit(*data, seed=SEED + number, **{**HOW, "epochs": 2} | how)
    return model


def outputs(model, **how):
    return model.predict(X, verbose=0, **how)


def state_of(model):
    return model.ensemble_members.state


def assert_same_bits(one, other):
    """All but what the metrics have counted, in evaluations too."""
    states = (state_of(model).replace(metrics={}) for model in (one, other))
    jax.tree_util.tree_map(np.testing.assert_array_equal, *states)


@pytest.fixture(scope="module")
def trained():
    model = build()
    held_out = X[:20], Y[:20]
    model.fit(X, Y, ensemble=SIZE, seed=SEED, epochs=2, validation_data=held_out, **HOW)
    return model


@pytest.fixture(scope="module")
def second_alone():
    return alone(1, validation_data=(X[:20], Y[:20]))


@pytest.mark.promise("Member `i` is what a stand-alone training")
@pytest.mark.promise("`loss`, `val_loss` and")
@pytest.mark.promise("`model.fit(x, y, ensemble=8)`")
def test_a_member_is_a_fit_alone(trained, second_alone):
    np.testing.assert_allclose(
        outputs(trained, members=True)[1], outputs(second_alone), rtol=1e-5, atol=1e-6
    )
    mine, others = trained.history.history, second_alone.history.history
    for name, values in others.items():
        of_member = [of_each[1] for of_each in mine[f"{name}_members"]]
        np.testing.assert_allclose(of_member, values, rtol=1e-5)
        np.testing.assert_allclose(mine[name], np.mean(mine[f"{name}_members"], 1), rtol=1e-6)


@pytest.mark.promise("Trainable weights begin")
def test_members_differ(trained):
    each = outputs(trained, members=True)
    assert min(abs(each[0] - each[1]).max(), abs(each[1] - each[2]).max()) > 0.01


@pytest.mark.promise("`fit(ensemble=8)` trains eight")
@pytest.mark.promise("`model.fit(x, y, ensemble=8)`")
def test_all_members_are_one_program(trained):
    found = {key[0]: f.traces for key, f in trained._functions.items() if hasattr(f, "traces")}
    assert {name: found[name] for name in ("train_many", "test_many")} == {
        "train_many": 1,
        "test_many": 1,
    }


@pytest.mark.promise("`predict` gives their mean")
def test_predict_gives_the_mean(trained):
    each = outputs(trained, members=True)
    assert each.shape == (SIZE, 44, 3)
    np.testing.assert_allclose(outputs(trained), each.mean(0), atol=1e-6)
    np.testing.assert_allclose(trained.predict(X[:3], batch_size=2), each.mean(0)[:3], atol=1e-6)
    np.testing.assert_allclose(trained.predict_on_batch(X), each.mean(0), atol=1e-6)


@pytest.mark.promise("are those of the first member")
def test_the_models_own_variables_are_those_of_the_first_member(trained):
    each, first = outputs(trained, members=True), trained.member(0)
    np.testing.assert_allclose(trained(X), each[0], atol=1e-6)
    for own, of_member in zip(trained.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(own, of_member)


@pytest.mark.promise("`evaluate` gives means")
def test_evaluate_gives_means_over_the_members(trained, second_alone):
    found = trained.evaluate(X, Y, verbose=0, return_dict=True)
    wanted = second_alone.evaluate(X, Y, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["loss_members"][1], wanted["loss"], rtol=1e-5)
    np.testing.assert_allclose(found["loss"], found["loss_members"].mean(), rtol=1e-6)
    assert trained.evaluate(X, Y, verbose=0) == [found["loss"], found["accuracy"]]


class Net(jkeras.Model):
    """A model of a class that is not registered."""

    def __init__(self, units=4, **options):
        super().__init__(**options)
        self.units = units
        self.hidden, self.head = layers.Dense(units, "tanh"), layers.Dense(3)

    def call(self, x):
        return {"logits": self.head(self.hidden(x))}

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@pytest.mark.promise("frozen weights (`trainable = False`")
def test_a_subclassed_model_with_an_optax_transform_and_adapters():
    model = Net()
    model.compile(
        optax.adam(1e-2),
        {"logits": jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        lora={"hidden/kernel": 2},
        run_eagerly=True,
    )
    model.fit(X, {"logits": Y}, ensemble=2, seed=SEED, **HOW)
    assert state_of(model).frozen["hidden"]["kernel"].shape == (5, 4)  # which they share
    each = outputs(model, members=True)["logits"]
    assert each.shape == (2, 44, 3)
    np.testing.assert_allclose(outputs(model.member(1))["logits"], each[1], atol=1e-6)


@pytest.mark.promise("order of the rows | `shuffle=True`")
def test_the_same_order_for_all():
    model = build()
    model.fit(X, Y, ensemble=2, seed=SEED, epochs=1, shuffle="same", **HOW)
    one = build()
    one.load_train_state(init_train_state(one, SEED))
    one.fit(X, Y, seed=SEED, epochs=1, **HOW)  # whose order is that of the first seed
    np.testing.assert_allclose(outputs(model, members=True)[0], outputs(one), atol=1e-6)


@pytest.mark.promise("order of the rows | `shuffle=True`")
@pytest.mark.parametrize("own_order", [True, False])
def test_batches_of_the_host(monkeypatch, own_order):
    monkeypatch.setattr(array_source, "ON_DEVICE_LIMIT", 0)
    model = build()
    how = {"shuffle": own_order, "epochs": 1}
    model.fit(X, Y, ensemble=2, seed=SEED, **HOW, **how)
    np.testing.assert_allclose(
        outputs(model, members=True)[1], outputs(alone(1, **how)), rtol=1e-5, atol=1e-6
    )


def test_a_member_alone_goes_on(trained, second_alone):
    member = copy.deepcopy(trained).member(1)
    other = copy.deepcopy(second_alone)
    np.testing.assert_allclose(outputs(member), outputs(other), rtol=1e-5, atol=1e-6)
    for model in (member, other):
        model.fit(X, Y, seed=9, **HOW)  # with the state of its optimizer
    np.testing.assert_allclose(outputs(member), outputs(other), rtol=1e-5, atol=1e-6)


def test_copies_are_ensembles(trained):
    for other in (copy.deepcopy(trained), pickle.loads(pickle.dumps(trained))):
        np.testing.assert_array_equal(outputs(other, members=True), outputs(trained, members=True))


@pytest.mark.promise("A later `fit` continues with")
@pytest.mark.promise("the first stands where Keras looks for weights")
def test_a_file_keeps_all_members(trained, tmp_path):
    path = tmp_path / "net.keras"
    trained.save(path)
    loaded = jkeras.models.load_model(path)
    np.testing.assert_array_equal(outputs(loaded, members=True), outputs(trained, members=True))
    again = copy.deepcopy(trained)
    for model in (again, loaded):
        model.fit(X, Y, seed=9, **HOW)
    assert_same_bits(again, loaded)
    # Keras finds the first member
    np.testing.assert_allclose(
        keras.models.load_model(path).predict(X, verbose=0),
        outputs(trained, members=True)[0],
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["members/4.weights.h5", "members/../x", "members/01.weights.h5"])
def test_a_strange_member_in_a_file_is_refused(trained, tmp_path, name):
    path = tmp_path / "net.keras"
    trained.member(0).save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"")
    with pytest.raises(SerializationError, match="members"):
        jkeras.models.load_model(path)


class Stop(callbacks.Callback):
    """Fails at a step."""

    every_batch = True

    def on_train_batch_end(self, batch, logs=None):
        if self.params["epochs"] and self.model.optimizer.iterations >= 4:
            raise KeyboardInterrupt


@pytest.mark.promise("its bitwise identical resuming are as ever")
def test_goes_on_to_the_same_bits_in_the_middle_of_an_epoch(trained, tmp_path):
    how = {"ensemble": SIZE, "seed": SEED, "epochs": 2, "validation_data": (X[:20], Y[:20])} | HOW
    with pytest.raises(KeyboardInterrupt):
        checkpoint = Checkpointer(tmp_path, every=2)
        build().fit(X, Y, **how, callbacks=[Stop()], checkpoint=checkpoint)
    again = build()
    again.fit(X, Y, **how, checkpoint=tmp_path)
    assert_same_bits(again, trained)


def stopping(monitor, **options):
    return callbacks.EarlyStopping(monitor, patience=0, restore_best_weights=True, **options)


@pytest.mark.promise("looks at the mean and restores")
def test_members_that_stop_by_their_own_are_frozen():
    held_out = {"validation_data": (X[:20], Y[:20]), "epochs": 6}
    model = build(jkeras.optimizers.SGD(1.0))
    model.fit(
        X, Y, ensemble=SIZE, seed=SEED, callbacks=[stopping("val_loss_members")], **HOW, **held_out
    )
    for number in range(SIZE):
        one = alone(
            number,
            build=lambda: build(jkeras.optimizers.SGD(1.0)),
            callbacks=[stopping("val_loss")],
            **held_out,
        )
        np.testing.assert_allclose(
            outputs(model, members=True)[number], outputs(one), rtol=1e-5, atol=1e-6
        )


@pytest.mark.promise("looks at the mean and restores")
def test_stopping_by_the_mean_restores_all_members():
    model = build(jkeras.optimizers.SGD(1.0))
    how = {"ensemble": SIZE, "seed": SEED, "validation_data": (X[:20], Y[:20])} | HOW
    found = model.fit(X, Y, epochs=6, callbacks=[stopping("val_loss")], **how).history
    assert len(found["val_loss"]) < 6
    best = int(np.argmin(found["val_loss"]))
    now = model.evaluate(X[:20], Y[:20], verbose=0, return_dict=True)
    np.testing.assert_allclose(now["loss_members"], found["val_loss_members"][best], rtol=1e-5)


@pytest.mark.promise("freezes a member that met")
def test_a_member_with_nan_stops_and_the_others_go_on():
    model = build(nonfinite="stop")
    model.fit(X, Y, ensemble=SIZE, seed=SEED, **HOW)
    broken = model.ensemble_members.get_weights()
    broken[0][1] = np.nan
    model.ensemble_members.set_weights(broken)
    before = outputs(model, members=True)
    with pytest.warns(UserWarning, match=r"members \[1\]"):
        model.fit(X, Y, epochs=2, **HOW)
    assert model.ensemble_members.is_active.tolist() == [True, False, True]
    assert np.isfinite(outputs(model, members=True)[[0, 2]]).all()
    assert abs(outputs(model, members=True)[[0, 2]] - before[[0, 2]]).max() > 1e-3


@pytest.mark.promise("a `TrainState` with the members as first axis")
@pytest.mark.promise("Trainable weights begin")
@pytest.mark.promise("frozen weights (`trainable = False`")
def test_frozen_layers_are_shared_until_they_are_trained():
    model = build()
    model.get_layer("first").trainable = False
    held = model.get_layer("first").get_weights()[0]
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, ensemble=SIZE, seed=SEED, **HOW)
    np.testing.assert_array_equal(state_of(model).frozen["first"]["kernel"], held)
    for is_trained in (True, False):
        model.get_layer("first").trainable = is_trained
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, Y, **HOW)
        part = state_of(model).params if is_trained else state_of(model).frozen
        assert part["first"]["kernel"].shape == (SIZE, 5, 6)
    np.testing.assert_allclose(
        outputs(model.member(2)), outputs(model, members=True)[2], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "options", [{"use_ema": True, "ema_momentum": 0.9}, {"weight_decay": 0.1}], ids=str
)
def test_optimizers_with_more_than_slots(options):
    new = lambda: build(jkeras.optimizers.Adam(**options))  # noqa: E731
    model = new()
    model.fit(X, Y, ensemble=2, seed=SEED, **HOW)
    one = alone(1, build=new, epochs=1)
    np.testing.assert_allclose(outputs(model, members=True)[1], outputs(one), rtol=1e-5, atol=1e-6)


@pytest.mark.promise("A rate that a callback")
def test_a_rate_that_a_callback_sets_holds_for_all_members():
    model = build("sgd")
    model.fit(X, Y, ensemble=2, seed=SEED, **HOW)
    before = jax.tree_util.tree_map(np.array, state_of(model).params)
    model.fit(X, Y, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.0)], **HOW)
    assert state_of(model).opt_state["learning_rate"].tolist() == [0.0, 0.0]
    jax.tree_util.tree_map(np.testing.assert_array_equal, state_of(model).params, before)


@pytest.mark.promise("What works on one set of")
def test_what_is_no_ensemble(trained, tmp_path):
    for message, run in {
        "integer of at least 1": lambda: build().fit(X, Y, ensemble=0),
        "`ensemble=3`": lambda: trained.fit(X, Y, ensemble=2),
        "of the members": lambda: build().fit(X, Y, shuffle="each"),
        "an ensemble, to give": lambda: build().predict(X, members=True),
        "to take a member": lambda: build().member(0),
        "count from 0": lambda: trained.member(3),
        "save_weights": lambda: trained.save_weights(tmp_path / "a.weights.h5"),
        "older form": lambda: trained.save(tmp_path / "a.h5"),
        "train_on_batch": lambda: trained.train_on_batch(X, Y),
        "values of a model": lambda: explain.concept_direction(trained, X, X, at="first"),
        "gathers the params": lambda: trained.fit(X, Y, callbacks=[uncertainty.SWAG()], **HOW),
        "`export`": lambda: trained.export(tmp_path / "a"),
    }.items():
        with pytest.raises(ValueError, match=message):
            run()
    assert not list(tmp_path.iterdir())


def zeros(layer):
    return [np.zeros(w.shape) for w in layer.weights]


WRITES = {
    "set_weights": lambda model: model.set_weights(model.get_weights()),
    "of a layer": lambda model: model.layers[0].set_weights(zeros(model.layers[0])),
    "assign": lambda model: model.get_layer("first").kernel.assign(np.zeros((5, 6))),
    "assign_add": lambda model: model.get_layer("first").kernel.assign_add(np.zeros((5, 6))),
    "params": lambda model: setattr(model, "params", model.params),
    "state": lambda model: setattr(model, "state", model.state),
    "a call in training": lambda model: model(X, training=True),
    "gradients": lambda model: model.optimizer.apply_gradients(
        [(np.zeros(w.shape, "float32"), w) for w in model.trainable_weights]
    ),
    "own variables": lambda model: model.get_layer("first").load_own_variables(
        {"0": np.zeros((5, 6)), "1": np.zeros(6)}
    ),
}


@pytest.mark.promise("would belong to no member: that is refused at once")
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("how", ["itself", "copy", "pickle", "loaded"])
def test_a_weight_that_is_assigned_belongs_to_no_member(trained, write, how, tmp_path):
    """It is refused at once, and the ensemble is as it was."""
    model = trained
    if how == "loaded":
        trained.save(tmp_path / "m.keras")
        model = jkeras.models.load_model(tmp_path / "m.keras")
    elif how != "itself":
        model = copy.deepcopy(trained) if how == "copy" else pickle.loads(pickle.dumps(trained))
    with pytest.raises(ValueError, match=r"to be assigned.*model.member\(i\).*members.set_weights"):
        WRITES[write](model)
    np.testing.assert_array_equal(outputs(model), outputs(trained))


def test_what_all_members_share_may_be_assigned(trained):
    model = copy.deepcopy(trained)
    model.optimizer.learning_rate.assign(0.5)
    model.fit(X, Y, **HOW)
    assert state_of(model).opt_state["learning_rate"].tolist() == [0.5] * SIZE
    model = build()
    model.get_layer("first").trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, ensemble=2, seed=SEED, **HOW)
    model.get_layer("first").kernel.assign(np.zeros((5, 6)))
    assert not np.any(model.member(1).get_layer("first").kernel.numpy())


@pytest.mark.promise("Assign to `model.member(i)`")
def test_members_and_clones_may_be_assigned(trained):
    for model in (trained.member(1), jkeras.models.clone_model(trained)):
        model.set_weights(trained.get_weights())
        model.fit(X, Y, **HOW)
    with pytest.raises(ValueError, match="a single model, received `load_train_state`"):
        trained.load_train_state(init_train_state(build(), 0))


def test_an_ensemble_that_could_not_begin_is_a_model():
    fails = []

    def initializer(shape, dtype=None):
        if fails:
            raise ValueError("no more values")
        return np.ones(shape, dtype)

    model = jkeras.Sequential([jkeras.Input((5,)), layers.Dense(3, kernel_initializer=initializer)])
    model.compile("sgd", "mse")
    fails.append(True)
    with pytest.raises(ValueError, match="no more values"):
        model.fit(X, np.zeros((44, 3)), ensemble=2, verbose=0)
    fails.clear()
    model.set_weights(model.get_weights())


@pytest.mark.promise("Assign to `model.member(i)`")
def test_weights_of_all_members_have_their_shapes(trained):
    model = copy.deepcopy(trained)
    weights = model.ensemble_members.get_weights()
    for wrong in (weights[:-1], [weights[0][:1], *weights[1:]], [w[0] for w in weights]):
        with pytest.raises(ValueError, match="set_weights: expected arrays of shapes"):
            model.ensemble_members.set_weights(wrong)
    model.ensemble_members.set_weights([0 * w for w in weights])
    assert not np.any(model.get_weights()[0])


@pytest.mark.promise("`summary()` says how many")
def test_a_summary_tells_of_the_members(trained):
    lines = []
    trained.summary(print_fn=lines.append)
    assert "Members: 3, each with these params" in "\n".join(lines)
    lines.clear()
    build().summary(print_fn=lines.append)
    assert "Members" not in "\n".join(lines)


@pytest.mark.slow
@pytest.mark.promise("a `Normalization` layer that was adapted stays adapted")
def test_an_adapted_layer_stays_adapted():
    adapted = jkeras.layers.Normalization()
    adapted.adapt(X)
    model = jkeras.Sequential([jkeras.Input((5,)), adapted, jkeras.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    held = adapted.get_weights()
    model.fit(X, Y, ensemble=2, seed=SEED, **HOW)
    for number in range(2):
        for ours, before in zip(model.member(number).layers[0].get_weights(), held, strict=True):
            np.testing.assert_array_equal(ours, before)
