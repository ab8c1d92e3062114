"""Seeds that are generators, in configs and files."""

import keras
import numpy as np

import jkeras


def test_a_generator_in_the_config_of_an_initializer():
    for library in (keras, jkeras):
        made = library.initializers.GlorotUniform(seed=library.random.SeedGenerator(3))
        config = library.saving.serialize_keras_object(made)
        assert config["config"]["seed"]["module"] == "keras.random"
        again = library.saving.deserialize_keras_object(config)
        np.testing.assert_array_equal(again((2, 3)), library.initializers.GlorotUniform(3)((2, 3)))


def test_a_generator_in_a_file(tmp_path):
    seed = jkeras.random.SeedGenerator(3)
    first = jkeras.layers.Dense(2, kernel_initializer=jkeras.initializers.GlorotUniform(seed=seed))
    model = jkeras.Sequential([jkeras.Input((3,)), first])
    model.save(tmp_path / "model.keras")
    again = jkeras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[0].kernel_initializer.seed.get_config()["seed"] == 3
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
