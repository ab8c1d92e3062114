"""`.keras` and `.weights.h5`: read by real Keras, written by it, and never half written."""

import contextlib
import json
import os
import sys

import keras
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(16, 6)).astype("float32"), RNG.integers(0, 3, 16)


def graph(k):
    x = k.Input((6,), name="x")
    y = k.layers.Dense(4, activation="relu", name="a")(x)
    y = k.layers.BatchNormalization(name="bn")(y)
    inner = [k.Input((4,)), k.layers.Dense(4, kernel_regularizer="l2"), k.layers.Dropout(0.0)]
    inner = k.Sequential(inner, name="inner")
    return k.Model(
        x,
        k.layers.Dense(3, activation="softmax", name="out")(k.layers.Add()([inner(y), y])),
        name="net",
    )


def sequence(k):
    return k.Sequential(
        [
            k.Input((6,)),
            k.layers.Reshape((3, 2)),
            k.layers.Bidirectional(k.layers.LSTM(3)),
            k.layers.Dense(3, activation="softmax"),
        ]
    )


def subclassed(k):
    class Net(k.Model):
        def __init__(self):
            super().__init__(name="net")
            self.wide = k.layers.Dense(5, activation="tanh")
            self.blocks = [k.layers.Dense(5), {"inner": k.layers.Dense(5)}]
            self.attention = k.layers.MultiHeadAttention(1, 2)
            self.out = k.layers.Dense(3, activation="softmax")

        def call(self, x):
            x = self.wide(x)
            x = self.blocks[1]["inner"](self.blocks[0](x))
            return self.out(self.attention(x[:, None], x[:, None])[:, 0])

    model = Net()
    model(np.zeros((1, 6), "float32"))
    return model


BUILDERS = [graph, sequence, subclassed]


def trained(k, builder):
    model = builder(k)
    model.compile(k.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, epochs=1, batch_size=8, verbose=0)
    return model


@pytest.mark.promise("Configs and files.** Files")
@pytest.mark.promise("`.keras` | yes | yes | yes")
@pytest.mark.promise("writes a file that Keras")
@pytest.mark.promise("What Keras itself cannot open")
@pytest.mark.parametrize(
    "writer, reader",
    [(jkeras, keras), (keras, jkeras), (jkeras, jkeras)],
    ids=["to-keras", "from-keras", "own"],
)
@pytest.mark.parametrize("builder", [graph, sequence], ids=lambda b: b.__name__)
def test_whole_models(tmp_path, writer, reader, builder):
    model, path = trained(writer, builder), tmp_path / "model.keras"
    model.save(path)
    read = reader.saving.load_model(path)
    np.testing.assert_allclose(
        read.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6
    )
    assert int(read.optimizer.iterations) == 2
    more = [
        m.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=0).history for m in (model, read)
    ]
    assert list(more[0]) == list(more[1])
    for name in more[0]:
        np.testing.assert_allclose(more[0][name], more[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.promise("Configs and files.** Files")
@pytest.mark.parametrize(
    "writer, reader", [(jkeras, keras), (keras, jkeras)], ids=["to-keras", "from-keras"]
)
@pytest.mark.parametrize("builder", BUILDERS, ids=lambda b: b.__name__)
def test_weights(tmp_path, writer, reader, builder):
    model, path = trained(writer, builder), tmp_path / "model.weights.h5"
    model.save_weights(path)
    other = builder(reader)
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "writer, reader",
    [(jkeras, keras), (keras, jkeras), (jkeras, jkeras)],
    ids=["to-keras", "from-keras", "own"],
)
@pytest.mark.parametrize("builder", [graph, sequence], ids=lambda b: b.__name__)
@pytest.mark.filterwarnings("ignore:.*legacy")
def test_the_older_format(tmp_path, writer, reader, builder):
    model, path = trained(writer, builder), str(tmp_path / "model.h5")
    model.save(path)
    read = reader.saving.load_model(path, compile=reader is jkeras)
    np.testing.assert_allclose(
        read.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6
    )
    other = builder(reader)
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    if writer is reader:
        more = [
            m.fit(X, Y, epochs=1, batch_size=8, shuffle=False, verbose=0).history["loss"]
            for m in (model, read)
        ]
        assert more[0] == more[1] and int(read.optimizer.iterations) == 4


def test_a_config_of_keras_2(tmp_path):
    """Calls as lists, shapes as `batch_input_shape`, classes without modules."""
    dense = {
        "class_name": "Dense",
        "name": "d",
        "inbound_nodes": [[["x", 0, 0, {}]]],
        "config": {
            "name": "d",
            "trainable": True,
            "dtype": "float32",
            "units": 2,
            "activation": "linear",
            "use_bias": True,
            "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
            "bias_initializer": {"class_name": "Zeros", "config": {}},
        },
    }
    add = {
        "class_name": "Add",
        "name": "a",
        "config": {"name": "a", "trainable": True, "dtype": "float32"},
        "inbound_nodes": [[["d", 0, 0, {}], ["d", 0, 0, {}]]],
    }
    entry = {
        "class_name": "InputLayer",
        "name": "x",
        "inbound_nodes": [],
        "config": {
            "batch_input_shape": [None, 3],
            "dtype": "float32",
            "sparse": False,
            "name": "x",
        },
    }
    model = jkeras.models.model_from_json(
        json.dumps(
            {
                "class_name": "Functional",
                "config": {
                    "name": "m",
                    "layers": [entry, dense, add],
                    "input_layers": [["x", 0, 0]],
                    "output_layers": [["a", 0, 0]],
                },
            }
        )
    )
    w, b = model.get_weights()
    np.testing.assert_allclose(
        model.predict(X[:, :3], verbose=0), 2 * (X[:, :3] @ w + b), rtol=1e-5
    )


def test_bfloat16_weights_come_back(tmp_path):
    model = jkeras.Sequential([jkeras.Input((6,)), jkeras.layers.Dense(3, dtype="bfloat16")])
    model.save(tmp_path / "half.keras")
    for a, b in zip(
        model.get_weights(),
        jkeras.saving.load_model(tmp_path / "half.keras").get_weights(),
        strict=True,
    ):
        assert a.dtype == b.dtype and (a == b).all()


def test_weights_of_another_model_change_nothing(tmp_path):
    model, path = trained(jkeras, graph), tmp_path / "model.weights.h5"
    model.save_weights(path)
    other = jkeras.Sequential([jkeras.Input((6,)), jkeras.layers.Dense(5), jkeras.layers.Dense(3)])
    before = other.get_weights()
    with pytest.raises(ValueError, match="do not fit model 'sequential'.*layers/dense"):
        other.load_weights(path)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("fails_at", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch, fails_at):
    model, path = sequence(jkeras), tmp_path / "model.keras"
    model.save(path)
    old = path.read_bytes()

    def no_space(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails_at, no_space)
    with pytest.raises(OSError, match="No space"):
        model.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["model.keras"]


def test_errors_name_the_way_out(tmp_path):
    model = sequence(jkeras)
    with pytest.raises(ValueError, match="Add the ending `.keras`"):
        model.save(tmp_path / "model.bin")
    with pytest.raises(ValueError, match="File not found"):
        jkeras.saving.load_model(tmp_path / "none.keras")
    model.save(tmp_path / "model.keras")
    with pytest.raises(FileExistsError, match="overwrite=False"):
        model.save(tmp_path / "model.keras", overwrite=False)
    (tmp_path / "bad.keras").write_bytes((tmp_path / "model.keras").read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged"):
        jkeras.saving.load_model(tmp_path / "bad.keras")
    with pytest.raises(ValueError, match="not yet been built"):
        jkeras.Sequential([jkeras.layers.Dense(2)]).save_weights(tmp_path / "unbuilt.weights.h5")


def missing(path, model):
    pass


def empty(path, model):
    path.write_bytes(b"")


def text(path, model):
    path.write_text("What is this?")


def folder(path, model):
    path.mkdir()


def pipe(path, model):
    os.mkfifo(path)


def forbidden(path, model):
    path.write_text("What is this?")


def of_another(path, model):
    other = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(7)])
    if path.name.endswith((".safetensors", ".npz", ".weights.h5")):
        return other.save_weights(path)
    if path.name.endswith(".weights.json"):
        return other.save_weights(path, max_shard_size=1)
    if path.suffix in (".keras", ".h5"):
        return other.save(path)
    path.write_text("What is this?")


WRONG = (missing, empty, text, folder, pipe, forbidden, of_another)
WEIGHTS = (".keras", ".h5", ".weights.h5", ".weights.json", ".safetensors", ".npz", ".pt", "")


@pytest.mark.promise("is one kind of error, `SerializationError`")
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_with_a_file_is_one_kind_of_error(tmp_path, wrong, monkeypatch):
    """Whatever the file is; it begins with the path."""
    model, opens = sequence(jkeras), os.open

    def opened(path, *args, **options):
        if str(path).startswith(str(tmp_path)):  # root may read all
            raise PermissionError(13, "Permission denied", path)
        return opens(path, *args, **options)

    for ending in WEIGHTS:
        path = tmp_path / f"a{ending}"
        wrong(path, model)
        loads = [model.load_weights]
        if wrong is not of_another:
            loads.append(jkeras.models.load_model)
        for load in loads:
            with pytest.raises(SerializationError) as error, monkeypatch.context() as patch:
                if wrong is forbidden:
                    patch.setattr(os, "open", opened)
                load(path)
            assert str(error.value).startswith(str(path)), load
            if ending in (".keras", ".h5") and wrong is not folder:
                assert isinstance(error.value, FileNotFoundError) == (wrong is missing)
                assert isinstance(error.value, PermissionError) == (wrong is forbidden)


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("writer, reader", [(jkeras, jkeras), (jkeras, keras), (keras, jkeras)])
@pytest.mark.filterwarnings("ignore:.*legacy")
def test_a_model_that_is_not_built_has_no_weights_in_its_file(tmp_path, writer, reader, ending):
    path = str(tmp_path / f"unbuilt{ending}")
    model = writer.Sequential(
        [writer.layers.Dense(2, name="d"), writer.layers.Dense(3)], name="unbuilt"
    )
    model.compile("adam", writer.losses.MeanSquaredError())
    with (
        pytest.warns(UserWarning, match="not yet been built")
        if ending == ".keras" or writer is jkeras
        else (contextlib.nullcontext())
    ):
        model.save(path)
    again = reader.saving.load_model(path)
    assert (
        again.name == "unbuilt"
        and [layer.units for layer in again.layers] == [2, 3]
        and not again.built
    )
    again.fit(np.ones((2, 4)), np.ones((2, 3)), verbose=0)
    assert again.count_params() == 4 * 2 + 2 + 2 * 3 + 3


@pytest.mark.promise("A class of your own in")
@pytest.mark.promise("is refused in the same cases; messages say what to do")
def test_a_class_of_ones_own_must_be_registered_or_passed(tmp_path):
    class Twice(jkeras.layers.Layer):
        def call(self, x):
            return 2 * x

    model = jkeras.Sequential([jkeras.Input((6,)), Twice(name="twice")])
    model.save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match="'Twice'.*register_keras_serializable"):
        jkeras.saving.load_model(tmp_path / "own.keras")
    read = jkeras.saving.load_model(tmp_path / "own.keras", custom_objects={"Twice": Twice})
    np.testing.assert_array_equal(read.predict(X, verbose=0), 2 * X)


def test_a_library_may_put_its_own_function_in_the_place_of_deserialize(monkeypatch):
    """As bayesflow does, to keep classes in configs: what lies inside a config goes through it
    too.
    """
    original = jkeras.saving.deserialize_keras_object

    def with_types(config, *args, **kwargs):
        return (
            {"type:int": int}.get(config)
            if isinstance(config, str)
            else original(config, *args, **kwargs)
        )

    monkeypatch.setattr(sys.modules[original.__module__], original.__name__, with_types)
    assert with_types({"a": ["type:int", 3], "b": {"c": "type:int"}}) == {
        "a": [int, 3],
        "b": {"c": int},
    }


class Sampler:
    """An object of a library's own, in both libraries."""

    def __init__(self, rate=1):
        self.rate = rate

    def get_config(self):
        return {"rate": self.rate}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@pytest.mark.parametrize("library", [jkeras, keras], ids=["jkeras", "keras"])
def test_the_objects_of_a_family_by_their_names(library):
    @library.saving.register_keras_serializable("family")
    class Own(
        Sampler, keras.src.saving.keras_saveable.KerasSaveable if library is keras else object
    ):
        pass

    family = {"own": Own, "softplus": library.activations.softplus}

    def read(config, **kwargs):
        return library.saving.deserialize_keras_object(
            config, module_objects=family, printable_module_name="samplers", **kwargs
        )

    assert read("own").rate == 1 and isinstance(read("own"), Own)
    assert read({"class_name": "own", "config": {"rate": 3}}).rate == 3
    assert read("softplus") is library.activations.softplus and read("nothing") == "nothing"
    assert read("mine", custom_objects={"mine": Own}) is Own


@pytest.mark.promise("NaN in a config loads | only with `safe_mode=False`")
def test_numbers_that_no_json_has(tmp_path):
    start = jkeras.initializers.Constant(float("nan"))
    model = jkeras.Sequential(
        [jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer=start)]
    )
    with pytest.warns(UserWarning, match="not finite"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(SerializationError, match="NaN"):
        jkeras.models.load_model(tmp_path / "m.keras")
    loaded = jkeras.models.load_model(tmp_path / "m.keras", safe_mode=False)
    assert np.isnan(loaded.layers[0].get_config()["kernel_initializer"]["config"]["value"])
