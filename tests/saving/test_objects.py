"""File objects, objects that are left out of a file, other names of a layer, cyclic lists."""

import io

import h5py
import keras
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError

x = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)


def two_layers(k):
    return k.Sequential([k.Input((3,)), k.layers.Dense(4), k.layers.Dense(2)])


@pytest.mark.parametrize("writer, reader", [(jkeras, jkeras), (jkeras, keras), (keras, jkeras)])
def test_a_file_object(writer, reader, tmp_path):
    model = two_layers(writer)
    model.compile("adam", "mse")
    model.train_on_batch(x, x[:, :2])
    content = io.BytesIO()
    if writer is jkeras:
        jkeras.saving.save_model(model, content)
    else:
        model.save(tmp_path / "m.keras")
        content.write((tmp_path / "m.keras").read_bytes())
    content.seek(0)
    if reader is keras:
        (tmp_path / "m.keras").write_bytes(content.read())
        again = keras.saving.load_model(tmp_path / "m.keras")
    else:
        again = jkeras.saving.load_model(content)
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)


def test_a_file_object_with_something_else():
    with pytest.raises(SerializationError, match="file object"):
        jkeras.saving.load_model(io.BytesIO(b"no archive"))


@pytest.mark.parametrize("ending", [".weights.h5", ".weights.json"])
def test_objects_to_skip(tmp_path, ending):
    path = tmp_path / f"m{ending}"
    model, other = two_layers(jkeras), two_layers(jkeras)
    shard = {"max_shard_size": 1} if ending == ".weights.json" else {}
    model.save_weights(path, objects_to_skip=[model.layers[0]], **shard)
    with pytest.raises(SerializationError, match="nothing in the file"):
        other.load_weights(path)
    for saved_without in (True, False):
        if not saved_without:
            model.save_weights(path, **shard)
        kept = np.array(other.layers[0].kernel)
        other.load_weights(path, objects_to_skip=[other.layers[0]])
        np.testing.assert_array_equal(other.layers[0].kernel, kept)
        np.testing.assert_array_equal(other.layers[1].kernel, model.layers[1].kernel)


def test_arguments_that_are_not_known(tmp_path):
    model = two_layers(jkeras)
    with pytest.raises(ValueError, match="Invalid keyword arguments.*objects_to_ship"):
        model.save_weights(tmp_path / "m.weights.h5", objects_to_ship=[])
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match="Invalid keyword arguments.*skip"):
        model.load_weights(tmp_path / "m.weights.h5", skip=True)
    with pytest.raises(ValueError, match="objects_to_skip"):
        model.save_weights(tmp_path / "m.npz", objects_to_skip=model.layers)


def renamed(k):
    """(a class with a layer `dense`, one that has it as `a_dense`, and `dense` as another name)."""

    class Before(k.Model):
        def __init__(self):
            super().__init__()
            self.dense = k.Sequential([k.layers.Dense(2)])

        def call(self, x):
            return self.dense(x)

    class After(k.Model):
        def __init__(self):
            super().__init__()
            self.a_dense = k.Sequential([k.layers.Dense(2)])

        @property
        def dense(self):
            return self.a_dense

        def call(self, x):
            return self.dense(x)

    return Before(), After()


@pytest.mark.parametrize("first, second", [(0, 1), (1, 1), (1, 0)])
@pytest.mark.parametrize("writer", [keras, jkeras], ids=["keras", "jkeras"])
def test_another_name_of_a_layer(writer, first, second, tmp_path):
    model, reader = renamed(writer)[first], renamed(jkeras)[second]
    model(x), reader(x)
    model.save_weights(tmp_path / "m.weights.h5")
    if (first, second) == (1, 0):  # `a_dense` is the name in the file, as Keras has it
        with pytest.raises(SerializationError, match="nothing in the file"):
            reader.load_weights(tmp_path / "m.weights.h5")
        return
    reader.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(reader(x), model(x), rtol=1e-6)


def with_private_layer(k):
    class Net(k.Model):
        def __init__(self):
            super().__init__()
            self._backbone = k.layers.Dense(2)
            self.tracker = k.metrics.Mean()

        @property
        def metrics(self):  # a name of the base: the metric is at `tracker`
            return [self.tracker]

        @property
        def backbone(self):
            return self._backbone

        def call(self, x):
            return self._backbone(x)

    return Net()


def test_a_public_name_of_a_private_layer_is_the_one_in_the_file(tmp_path):
    """Keras looks at properties too, and at private names last."""
    models = [with_private_layer(k) for k in (keras, jkeras)]
    for model in models:
        model(x)
    for writer, reader in (models, models[::-1]):
        writer.save_weights(tmp_path / "m.weights.h5")
        reader.load_weights(tmp_path / "m.weights.h5")
        np.testing.assert_array_equal(np.array(reader.weights[0]), np.array(writer.weights[0]))
        with h5py.File(tmp_path / "m.weights.h5") as file:
            assert "backbone" in file and not {"_backbone", "metrics"} & set(file)


def test_a_list_that_holds_itself(tmp_path):
    class Cyclic(jkeras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [jkeras.layers.Dense(2)]
            self.blocks.append(self.blocks)

        def call(self, x):
            return self.blocks[0](x)

    model, other = Cyclic(), Cyclic()
    model(x), other(x)
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other(x), model(x))


def test_a_function_that_keras_36_wrote_without_its_package():
    @jkeras.saving.register_keras_serializable(package="test_objects")
    def twice(x):
        return 2 * x

    config = {"module": "builtins", "class_name": "function", "registered_name": "function"}
    for name in ("twice", "test_objects>twice"):
        assert jkeras.saving.deserialize_keras_object({**config, "config": name}) is twice


@pytest.mark.parametrize("name", ["builtins.eval", "my_package>Dense"])
def test_a_built_in_class_has_no_registered_name(name):
    config = {"class_name": "Dense", "module": "keras.layers", "config": {"units": 1}}
    jkeras.saving.deserialize_keras_object({**config, "registered_name": None})
    for k in (keras, jkeras):
        with pytest.raises(ValueError, match="resolved to a Keras built-in"):
            k.saving.deserialize_keras_object({**config, "registered_name": name})


def test_a_class_that_does_not_take_its_config_is_a_type_error_too(tmp_path):
    @jkeras.saving.register_keras_serializable(package="test_objects")
    class Scale:
        def __init__(self, by):
            self.by = by

        def __call__(self, x):
            return self.by * x

        def get_config(self):
            return {"by": self.by}

    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1, activation=Scale(2.0))])
    model.save(tmp_path / "m.keras")
    with pytest.raises(TypeError, match="Unable to reconstruct an instance"):
        jkeras.saving.load_model(tmp_path / "m.keras")


@pytest.mark.parametrize("k", [jkeras, keras], ids=["jkeras", "keras"])
def test_registered_classes_are_custom_objects(k):
    registered = k.saving.register_keras_serializable("listed")(type("Listed", (k.Model,), {}))
    assert k.saving.get_custom_objects()["listed>Listed"] is registered
    with k.saving.CustomObjectScope({"inner": registered}):
        assert k.saving.get_registered_object("listed>Listed") is registered
        assert "listed>Listed" in k.saving.get_custom_objects()


def test_a_class_of_the_program_itself_has_no_module():
    def config(k):
        @k.saving.register_keras_serializable("of_program")
        class OfProgram(k.layers.Layer):
            pass

        OfProgram.__module__ = "__main__"
        return k.saving.serialize_keras_object(OfProgram(name="a"))

    mine, theirs = config(jkeras), config(keras)
    assert mine["module"] is None and theirs["module"] is None
    assert mine["registered_name"] == theirs["registered_name"] == "of_program>OfProgram"


def test_a_scope_that_is_left_in_another_block_leaves_trust_as_it_is(tmp_path):
    """A generator may end its scope while a file is read: what is said of the file stays."""

    def scoped():
        with jkeras.saving.CustomObjectScope({"Other": dict}):
            yield

    scopes = scoped()
    next(scopes)

    @jkeras.saving.register_keras_serializable("leaving")
    class Leaves(jkeras.layers.Layer):
        @classmethod
        def from_config(cls, config):
            next(scopes, None)
            return super().from_config(config)

    model = jkeras.Sequential([jkeras.Input((3,)), Leaves(), jkeras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(SerializationError, match="safe_mode=False"):
        jkeras.saving.load_model(tmp_path / "m.keras")
    assert jkeras.saving.get_registered_object("Other") is None


def test_a_file_of_today_says_what_it_means(tmp_path):
    """Arguments that only older files have are not translated in one of today: `Identity` was an
    initializer with a dtype, and a class of the program has no module.
    """

    class Embedding(jkeras.layers.Layer):
        def __init__(self, input_length=None, batch_size=None, **kwargs):
            super().__init__(**kwargs)
            self.input_length, self.batch_size = input_length, batch_size

        def get_config(self):
            own = {"input_length": self.input_length, "batch_size": self.batch_size}
            return super().get_config() | own

    Embedding.__module__ = "__main__"
    identity = jkeras.layers.Identity(dtype="float16")
    model = jkeras.Sequential([jkeras.Input((3,)), identity, Embedding(input_length=7)])
    model.save(tmp_path / "m.keras")
    again = jkeras.saving.load_model(tmp_path / "m.keras", {"Embedding": Embedding})
    assert [layer.compute_dtype for layer in again.layers] == ["float16", "float32"]
    assert again.layers[1].input_length == 7
