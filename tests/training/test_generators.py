"""What a training draws from, and what it moves: the generators of Python and numpy, and those of
the model's layers.
"""

import random
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import SerializationError
from jkeras.core.session import host_random
from tests.design.tools import normal

X, Y = normal(40, 4), normal(40, 1, seed=1)


def network(*more):
    jkeras.utils.set_random_seed(3)
    parts = layers.Dense(6), layers.Dropout(0.5), *more, layers.Dense(1)
    model = jkeras.Sequential([jkeras.Input((4,)), *parts])
    model.compile("adam", "mse")
    return model


def drawn():
    return random.random(), float(np.random.rand())


class Broken(jkeras.callbacks.Callback):
    """Ends a training in the middle of its second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (1, 2):
            raise OSError("power")


class Drawing(jkeras.callbacks.Callback):
    """Draws before each batch, and so before the order of the data is drawn."""

    def on_train_batch_begin(self, batch, logs=None):
        drawn()


# ---------------------------------------------------------------- the same bits after a kill


@pytest.mark.promise("a training that was killed in the middle of one resumes bitwise identical")
@pytest.mark.parametrize("shuffle", [True, "batch"])
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("watcher", [jkeras.callbacks.Callback, Drawing])
def test_the_same_bits_after_a_kill_in_the_middle_of_an_epoch(tmp_path, shuffle, every, watcher):
    options = dict(batch_size=8, epochs=3, shuffle=shuffle, verbose=0)
    model = network()
    history = model.fit(X, Y, callbacks=[watcher()], **options).history
    expected = [np.asarray(v) for v in model.variables], history["loss"][-1], drawn()

    def checkpoint():
        return jkeras.saving.Checkpointer(tmp_path / "run", every=every)

    with pytest.raises(OSError, match="power"):
        network().fit(X, Y, callbacks=[watcher(), Broken()], checkpoint=checkpoint(), **options)
    model = network()
    np.random.rand(5)  # a program that was started again may have drawn otherwise
    again = dict(callbacks=[watcher()], checkpoint=checkpoint())
    history = model.fit(X, Y, **again, **options).history
    for mine, its in zip(model.variables, expected[0], strict=True):
        np.testing.assert_array_equal(mine, its)
    assert (history["loss"][-1], drawn()) == expected[1:]


def test_more_epochs_of_a_data_set_go_on_from_where_the_generators_were(tmp_path):
    class Rows(jkeras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, number):
            part = slice(8 * number, 8 * number + 8)
            return X[part] + np.random.rand(), Y[part]

    whole = network()
    whole.fit(Rows(), epochs=4, verbose=0)
    expected = drawn()
    model = network()
    for epochs in (2, 4):
        model.fit(Rows(), epochs=epochs, verbose=0, checkpoint=tmp_path)
        model, parts = network(), model
    for mine, its in zip(parts.variables, whole.variables, strict=True):
        np.testing.assert_array_equal(mine, its)
    parts.fit(Rows(), epochs=4, verbose=0, checkpoint=tmp_path)
    assert drawn() == expected


def test_a_checkpoint_of_a_training_with_a_seed_says_so(tmp_path):
    network().fit(X, Y, verbose=0, checkpoint=tmp_path, seed=5)
    with pytest.raises(ValueError) as error:
        network().fit(X, Y, epochs=2, verbose=0, checkpoint=tmp_path)
    assert "fit(seed=5)" in error.value.__notes__[0]
    network().fit(X, Y, epochs=2, verbose=0, checkpoint=tmp_path, seed=5)


def test_a_checkpoint_of_a_training_without_a_seed_says_so(tmp_path):
    network().fit(X, Y, verbose=0, checkpoint=tmp_path)
    with pytest.raises(ValueError) as error:
        network().fit(X, Y, epochs=2, verbose=0, checkpoint=tmp_path, seed=5)
    assert "leave `seed` out" in error.value.__notes__[0]


@pytest.mark.parametrize(
    "change",
    [
        {"python": None},
        {"python": ["00", 0, None]},
        {"python": ["00" * 2496, -1, None]},
        {"python": ["zz" * 2496, 1, None]},
        {"python": ["00" * 2496, True, None]},
        {"numpy": ["00" * 2496, 625, None]},
        {"numpy": ["00" * 2496, 2**70, None]},
        {"numpy": ["00" * 2496, 1, "much"]},
        {"numpy": []},
    ],
)
def test_states_that_no_checkpoint_has_are_refused(change):
    before = host_random.state()
    with pytest.raises(SerializationError, match="generators"):
        host_random.put_back({**before, **change})
    assert host_random.state() == before


# ---------------------------------------------------------------- what moves nothing


@pytest.fixture(scope="module")
def trained():
    model = network()
    model.fit(X, Y, verbose=0)
    return model


SILENT = {
    "fit in order": lambda model, folder: model.fit(X, Y, shuffle=False, verbose=0),
    "fit with a seed": lambda model, folder: model.fit(X, Y, seed=3, verbose=0),
    "fit with a report": lambda model, folder: model.fit(
        X, Y, shuffle=False, verbose=0, report=folder / "run.json"
    ),
    "fit with a checkpoint": lambda model, folder: model.fit(
        X, Y, shuffle=False, verbose=0, checkpoint=folder / "run"
    ),
    "evaluate": lambda model, folder: model.evaluate(X, Y, verbose=0),
    "predict": lambda model, folder: model.predict(X, verbose=0),
    "call": lambda model, folder: model(X),
    "train_on_batch": lambda model, folder: model.train_on_batch(X, Y),
    "compile": lambda model, folder: model.compile("adam", "mse"),
    "save": lambda model, folder: model.save(folder / "model.keras"),
    "save_weights": lambda model, folder: model.save_weights(folder / "model.weights.h5"),
    "summary": lambda model, folder: model.summary(print_fn=lambda *line, **options: None),
    "export": lambda model, folder: model.export(folder / "net.stablehlo", format="stablehlo"),
    "to_json": lambda model, folder: model.to_json(),
    "get_config": lambda model, folder: model.get_config(),
    "init": lambda model, folder: model.init(0, X),
    "train state": lambda model, folder: jkeras.training.init_train_state(model, 0),
    "find_lr": lambda model, folder: jkeras.training.find_lr(model, X, Y, steps=12),
    "a number as seed": lambda model, folder: jkeras.random.normal((2,), seed=3),
    "datasets": lambda model, folder: jkeras.datasets.digits.load_data(),
    "to_categorical": lambda model, folder: jkeras.utils.to_categorical([0, 1]),
    "time series": lambda model, folder: jkeras.utils.timeseries_dataset_from_array(
        X, Y, 3, batch_size=4
    ),
    "quantize": lambda model, folder: model.layers[0].quantize("int8"),
    "clear_session": lambda model, folder: jkeras.utils.clear_session(),
}


@pytest.mark.promise("Nothing else moves the generators of Python and numpy")
@pytest.mark.parametrize("name", SILENT)
def test_what_moves_nothing(name, trained, tmp_path):
    before = host_random.state()
    SILENT[name](trained, tmp_path)
    assert host_random.state() == before


@pytest.mark.promise("no import on first use")
def test_an_import_on_first_use_moves_nothing(tmp_path):
    """A stand-in for TensorFlow, which draws while it is imported."""
    (tmp_path / "tensorflow.py").write_text(
        "import random\nimport numpy\nrandom.random()\nnumpy.random.rand()\n"
    )
    program = """
        import jkeras
        from jkeras.core.session import host_random
        from jkeras.utils.tensorflow_data import tensorflow
        jkeras.utils.set_random_seed(3)
        before = host_random.state()
        tensorflow()
        import sys
        assert "tensorflow" in sys.modules and host_random.state() == before
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environment = {"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seed", [None, 5])
def test_split_dataset_draws_from_python_as_keras_does(seed):
    jkeras.utils.set_random_seed(3)
    left, _ = jkeras.utils.split_dataset(np.arange(20), 0.5, shuffle=True, seed=seed)
    found = [int(x) for x in left], random.random()
    random.seed(3)
    rows = list(range(20))
    random.seed(random.randint(0, 1_000_000) if seed is None else seed)
    random.shuffle(rows)
    assert found == (rows[:10], random.random())


@pytest.mark.promise("`fit(seed=3)` is apart from all of this")
def test_a_seed_of_fit_follows_from_nothing_else():
    models = [network(), network()]
    np.random.rand(), random.random()
    first = models[0].fit(X, Y, seed=4, epochs=2, verbose=0).history
    models[1].fit(X[:8], Y[:8], verbose=0)
    models[1].set_weights(network().get_weights())
    models[1].compile("adam", "mse")
    assert models[1].fit(X, Y, seed=4, epochs=2, verbose=0).history == first


def test_a_data_set_with_a_generator_of_its_own_is_not_drawn_from_for_its_shapes():
    class Rows(jkeras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.rng = np.random.default_rng(0), np.random.RandomState(0)
            self.own = np.random.default_rng(0)

        def __len__(self):
            return 2

        def __getitem__(self, number):
            return X[:4] + self.own.random(), Y[:4]

    data, model = Rows(), network()
    model.evaluate(X, Y, verbose=0)  # nothing is new for what follows
    model.fit(data, epochs=2, verbose=0)
    rng = np.random.default_rng(0)
    rng.random(4)
    assert data.own.random() == rng.random()


# ---------------------------------------------------------------- `training` that is not passed on


class Own(jkeras.Model):
    def __init__(self, *parts, passes_on=False):
        super().__init__()
        self.parts, self.passes_on = list(parts), passes_on
        self.last = layers.Dense(1)

    def call(self, x, training=None):
        for part in self.parts:
            x = part(x, training=training) if self.passes_on else part(x)
        return self.last(x)


@pytest.mark.promise("they are trained, and a warning names them")
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dropout(0.5),
        layers.BatchNormalization,
        lambda: jkeras.Sequential([layers.Dense(3), layers.GaussianNoise(0.1)]),
    ],
)
def test_layers_that_are_trained_here_and_not_in_keras_are_named(make, recwarn):
    part = make()
    model = Own(part)
    model.compile("sgd", "mse")
    for _ in range(2):
        model.fit(X, Y, verbose=0)
    said = [str(w.message) for w in recwarn if "`training`" in str(w.message)]
    assert len(said) == 1 and repr(part.name) in said[0]


@pytest.mark.parametrize(
    "model",
    [
        Own(layers.Dropout(0.5), layers.BatchNormalization(), passes_on=True),
        Own(layers.Dropout(0.0), layers.ReLU(), layers.LayerNormalization()),
        Own(layers.Reshape((2, 2)), layers.LSTM(3)),
        network(),
    ],
    ids=["passed on", "nothing to train", "no dropout", "a graph"],
)
def test_others_are_not(model, recwarn):
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert not [w for w in recwarn if "`training`" in str(w.message)]


@pytest.mark.promise("Not so `AugMix`, whose operations Keras chooses once")
def test_augmix_chooses_its_operations_for_each_batch():
    layer = layers.AugMix(value_range=(0, 1), seed=1)
    sample = jax.jit(lambda key: layer.get_random_transformation(np.ones((2, 4, 4, 3)), seed=key))
    chosen = {np.asarray(sample(np.array([1, i], "uint32"))["chosen"]).tobytes() for i in range(4)}
    assert len(chosen) == 4


def test_what_is_drawn_without_a_generator_follows_from_the_key_of_the_training():
    """Keras refuses it in a compiled step; another number comes in each step."""
    jkeras.utils.set_random_seed(3)
    seen = []
    noise = layers.Lambda(lambda x: x + jkeras.random.normal(x.shape))
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dropout(0.5, seed=1), noise])
    model.compile(jkeras.optimizers.SGD(0.0), "mse")
    for _ in range(3):
        seen.append(model.fit(X, X, batch_size=40, verbose=0).history["loss"][0])
    assert len(set(seen)) == 3
    assert np.asarray(model.layers[0].seed_generator.state).tolist() == [1, 3]
