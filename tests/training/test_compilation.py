"""What `compile` sets is one value that does not change; the attributes of Keras show it."""

import copy
import dataclasses
import pickle

import keras
import numpy as np
import pytest

import jkeras
from jkeras import layers

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 3)).astype("float32"), RNG.normal(size=(12, 1)).astype("float32")


def model_of(cls=jkeras.Sequential, **options):
    jkeras.utils.set_random_seed(0)
    model = cls([jkeras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(1)])
    model.compile("sgd", "mse", **options)
    return model


def losses_of(model):
    return model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]


def test_it_is_frozen_and_made_anew():
    model = model_of(microbatches=2)
    before = model.compilation
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.microbatches = 3
    model.compile("adam", "mse")
    assert (before.microbatches, model.compilation.microbatches) == (2, 1)
    assert before.optimizer.name == "sgd" and model.optimizer is model.compilation.optimizer


def test_before_compile_it_says_nothing():
    model = jkeras.Sequential([layers.Dense(1)])
    theirs = keras.Sequential([keras.layers.Dense(1)])
    assert model.optimizer is None and model.loss is None and not model.compiled
    for name in ("run_eagerly", "steps_per_execution"):
        assert getattr(model, name) == getattr(theirs, name)
    with pytest.raises(ValueError, match="compile"):
        model.fit(X, Y, verbose=0)
    assert jkeras.Sequential.compilation.optimizer is None  # of the class: shared by none


@pytest.mark.parametrize("name", ["loss", "jit_compile", "run_eagerly", "steps_per_execution"])
def test_attributes_of_keras_are_there(name):
    ours, theirs = model_of(), keras.Sequential([keras.layers.Dense(1)])
    theirs.compile("sgd", "mse")
    if name != "jit_compile":  # that is true of both, "auto" in Keras
        assert getattr(ours, name) == getattr(theirs, name)
    value = {"loss": "mae", "steps_per_execution": 3}.get(name, True)
    for model in (ours, theirs):
        setattr(model, name, value)
        assert getattr(model, name) == value


def test_what_is_set_is_trained_with():
    model = model_of()
    slow = jkeras.optimizers.SGD(0.0)
    model.optimizer = slow
    before = model.get_weights()
    losses_of(model)
    np.testing.assert_equal(model.get_weights(), before)
    assert model.optimizer is slow is model.compilation.optimizer
    model.optimizer.learning_rate = 0.1
    assert losses_of(model)[1] < losses_of(model_of())[0]


class Discriminating(jkeras.Sequential):
    """A model whose own attributes have the names of settings."""

    def __init__(self, *args):
        super().__init__(*args)
        self.adversarial = layers.Dense(1, name="critic")
        self.privacy = "high"
        self.nonfinite = [1, 2]
        self.microbatches = None


def test_attributes_of_a_users_own_are_no_settings():
    """`compile` leaves them as they are, and a training knows nothing of them."""
    model, expected = model_of(Discriminating), losses_of(model_of())
    assert isinstance(model.adversarial, layers.Dense) and model.microbatches is None
    np.testing.assert_array_equal(losses_of(model), expected)
    assert (model.privacy, list(model.nonfinite)) == ("high", [1, 2])
    model.evaluate(X, Y, verbose=0)


class Declared(jkeras.Sequential):
    """A model that declares its attributes in its body."""

    optimizer = None
    loss = None
    jit_compile: bool = True


def test_a_class_may_declare_them():
    model, expected = model_of(Declared), losses_of(model_of())
    assert model.loss == "mse" and isinstance(model.optimizer, jkeras.optimizers.SGD)
    np.testing.assert_array_equal(losses_of(model), expected)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_has_its_own(way):
    model = model_of(nonfinite="skip", metrics=["mae"])
    losses_of(model)
    twin = way(model)
    assert twin.compilation.nonfinite == "skip"
    assert twin.optimizer is not model.optimizer
    assert twin.compilation.nonfinite_steps is not model.compilation.nonfinite_steps
    np.testing.assert_array_equal(losses_of(twin), losses_of(model))
    for mine, theirs in zip(twin.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_optimizer_is_in_the_file(tmp_path):
    """Under the name that Keras gives it, which reads the file."""
    model = model_of()
    model.compile(jkeras.optimizers.Adam(0.01), "mse")
    losses_of(model)
    model.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    ours = jkeras.saving.load_model(tmp_path / "m.keras")
    for read in (theirs, ours):
        for mine, other in zip(model.optimizer.variables, read.optimizer.variables, strict=True):
            np.testing.assert_allclose(np.asarray(mine), np.asarray(other), rtol=1e-6)


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_an_optimizer_that_is_set_is_the_one_that_trains(method):
    """Also one whose state has another form than that of the one before."""
    weights = []
    for library in (jkeras, keras):
        dense = library.layers.Dense(1, kernel_initializer="ones")
        model = library.Sequential([library.Input((3,)), dense])
        model.compile(library.optimizers.SGD(0.1), "mse")
        for optimizer in (None, library.optimizers.Adam(0.1), library.optimizers.SGD(0.5)):
            if optimizer is not None:
                model.optimizer = optimizer
            if method == "fit":
                model.fit(X, Y, batch_size=12, verbose=0)
            else:
                model.train_on_batch(X, Y)
            weights.append(np.ravel(model.get_weights()[0]))
    np.testing.assert_allclose(weights[:3], weights[3:], rtol=1e-5)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_a_look_without_labels_has_not_seen_the_losses(method):
    model, other = model_of(metrics=["mae"]), model_of(metrics=["mae"])
    with pytest.raises(ValueError, match="are missing"):
        getattr(model, method)(X)
    assert not model.was_seen
    np.testing.assert_array_equal(losses_of(model), losses_of(other))
    assert model.was_seen


def test_a_property_of_ones_own_is_set():
    """Training begins by setting `stop_training`, whatever a class makes of that."""

    class Own(jkeras.Sequential):
        stops = True

        @property
        def stop_training(self):
            return self.stops

        @stop_training.setter
        def stop_training(self, value):
            self.stops = value

    model = model_of(Own)
    model.stop_training = True
    assert len(losses_of(model)) == 2 and model.stops is False
