"""Every architecture is Keras's: layers, names, configs, weights; and with the same numbers in them the same output."""

import json

import keras
import numpy as np
import pytest

import jkeras
from jkeras.applications import building
from tests.design.tools import some_slow

# name: (smallest side of images, further arguments)
ARCHITECTURES = {
    "VGG16": (32, {}), "VGG19": (32, {}),
    "ResNet50": (32, {}), "ResNet101": (32, {}), "ResNet152": (32, {}),
    "ResNet50V2": (32, {}), "ResNet101V2": (32, {}), "ResNet152V2": (32, {}),
    "DenseNet121": (32, {}), "DenseNet169": (32, {}), "DenseNet201": (32, {}),
    "Xception": (71, {}), "InceptionV3": (75, {}), "InceptionResNetV2": (75, {}),
    "NASNetMobile": (32, {}), "NASNetLarge": (32, {}),
}
FAST = ("VGG16",)


@pytest.fixture(autouse=True)
def cheap_weights(monkeypatch):
    """Keras's random numbers take minutes for the large ones; here they are replaced anyway."""
    for kind in (keras.initializers.GlorotUniform, keras.initializers.VarianceScaling,
                 keras.initializers.TruncatedNormal):
        monkeypatch.setattr(kind, "__call__", lambda self, shape, dtype=None, **_: np.zeros(shape, "float32"))


def pair(name, **options):
    """An architecture, here and in Keras."""
    made = []
    for library in (jkeras, keras):
        library.utils.clear_session(free_memory=False)
        made.append(getattr(library.applications, name)(weights=None, **options))
    return made


def config(model):
    return json.loads(model.to_json().replace("jkeras", "keras"))["config"]


def paths(model):
    return [(v.path, tuple(v.shape), str(v.dtype)) for v in model.weights]


def filled(model):
    """Gives a model weights with which numbers stay of one size through all its layers."""
    rng = np.random.default_rng(0)

    def value(path, shape):
        if path.endswith(("moving_variance", "gamma", "scale")):
            return rng.uniform(0.5, 1.5, shape)
        return rng.normal(0, np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.1, shape)
    model.set_weights([value(v.path, v.shape) for v in model.weights])


def same_structure(mine, other):
    assert [layer.name for layer in mine.layers] == [layer.name for layer in other.layers]
    assert paths(mine) == paths(other)
    assert config(mine) == config(other)
    assert [layer.output.shape for layer in mine.layers] == [layer.output.shape for layer in other.layers]


@pytest.mark.parametrize("name", some_slow(ARCHITECTURES, *FAST))
def test_the_same_output_from_the_same_weights(name):
    least, options = ARCHITECTURES[name]
    mine, other = pair(name, input_shape=(least, least, 3), classes=5, classifier_activation=None, **options)
    same_structure(mine, other)
    filled(mine)
    other.set_weights(mine.get_weights())
    x = np.random.default_rng(1).uniform(0, 255, (2, least, least, 3)).astype("float32")
    wanted = other.predict(x, verbose=0)
    assert np.ptp(wanted) > 1e-3
    np.testing.assert_allclose(mine.predict(x, verbose=0), wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("name", some_slow(ARCHITECTURES, *FAST))
def test_the_usual_arguments(name):
    """The whole for images of the usual size; the body for images of any size, with both ways to pool."""
    same_structure(*pair(name))
    for pooling in (None, "avg", "max"):
        same_structure(*pair(name, include_top=False, pooling=pooling))


@pytest.mark.parametrize("name", some_slow(
    ["VGG16", "ResNet50", "ResNet50V2", "Xception", "InceptionV3", "InceptionResNetV2"], "VGG16"))
def test_channels_first(name, request):
    for library in (jkeras, keras):
        library.config.set_image_data_format("channels_first")
        request.addfinalizer(lambda library=library: library.config.set_image_data_format("channels_last"))
    same_structure(*pair(name))


@pytest.mark.parametrize("name", some_slow(ARCHITECTURES, *FAST))
def test_the_files_that_imagenet_weights_are_in(name, monkeypatch):
    class Asked(Exception):
        """The end of making a model: it wants to download something."""

    def get_file(*arguments, **options):
        raise Asked(arguments, options)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", get_file)
    monkeypatch.setattr(building, "get_file", get_file)
    for include_top in (True, False):
        asked = []
        for library in (jkeras, keras):
            with pytest.raises(Asked) as error:
                getattr(library.applications, name)(include_top=include_top)
            asked.append(error.value.args)
        assert asked[0] == asked[1]
