"""Every architecture is Keras's: layers, names, configs, weights; and with the same numbers in them
the same output.
"""

import gc
import json

import jax
import keras
import numpy as np
import pytest

import jkeras
from tests.thinning import in_turn, some_slow

# name, and what is special: (smallest side of images, further arguments)
ARCHITECTURES = {
    "VGG16": (32, {}),
    "VGG19": (32, {}),
    "ResNet50": (32, {}),
    "ResNet101": (32, {}),
    "ResNet152": (32, {}),
    "ResNet50V2": (32, {}),
    "ResNet101V2": (32, {}),
    "ResNet152V2": (32, {}),
    "DenseNet121": (32, {}),
    "DenseNet169": (32, {}),
    "DenseNet201": (32, {}),
    "Xception": (71, {}),
    "InceptionV3": (75, {}),
    "InceptionResNetV2": (75, {}),
    "NASNetMobile": (32, {}),
    "NASNetLarge": (32, {}),
    "MobileNet": (32, dict(alpha=0.25, depth_multiplier=2)),
    "MobileNetV2": (32, dict(alpha=0.35)),
    "MobileNetV2 wide": (32, dict(alpha=1.4)),
    "MobileNetV3Small": (32, dict(alpha=0.75)),
    "MobileNetV3Small minimalistic": (
        32,
        dict(minimalistic=True, dropout_rate=0, include_preprocessing=False),
    ),
    "MobileNetV3Large": (32, dict(alpha=1.25)),
    **{f"EfficientNetB{i}": (32, {}) for i in range(8)},
    **{f"EfficientNetV2{size}": (32, {}) for size in ("B0", "B1", "B2", "B3", "S", "M", "L")},
    "EfficientNetV2S bare": (32, dict(include_preprocessing=False)),
    # the larger ones differ in numbers, and would take more than 2 GB beside Keras's: doctests
    # count their parameters
    **{f"ConvNeXt{size}": (32, {}) for size in ("Tiny", "Small", "Base")},
    "ConvNeXtTiny bare": (32, dict(include_preprocessing=False)),
}


@pytest.fixture(autouse=True)
def cheap_weights(monkeypatch):
    """Keras's random numbers take minutes for the large ones; here they are replaced anyway."""
    for kind in (
        keras.initializers.GlorotUniform,
        keras.initializers.VarianceScaling,
        keras.initializers.TruncatedNormal,
    ):
        monkeypatch.setattr(
            kind, "__call__", lambda self, shape, dtype=None, **_: np.zeros(shape, "float32")
        )
    yield
    jax.clear_caches()  # else the large ones stay in memory, gigabytes in all
    gc.collect()


@pytest.fixture
def asked(monkeypatch):
    """{library: name, address and hash of the file of weights it asked for last}; nothing is
    downloaded nor loaded.
    """
    last = {}

    def fetching(library):
        def get_file(fname, origin, cache_subdir, file_hash=None):
            last[library] = (fname, origin, cache_subdir, file_hash)
            return fname

        return get_file

    monkeypatch.setattr("jkeras.applications.building.get_file", fetching("jkeras"))
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fetching("keras"))
    for library in (jkeras, keras):
        monkeypatch.setattr(library.Model, "load_weights", lambda self, path: None)
    return last


def pair(name, weights=None, **options):
    """An architecture, here and in Keras."""
    made = []
    for library in (jkeras, keras):
        library.utils.clear_session(free_memory=False)
        made.append(getattr(library.applications, name.split()[0])(weights=weights, **options))
    return made


def same_file(asked):
    """The file that was asked for is Keras's, and so is its hash where Keras knows one."""
    (*mine, its_hash), (*other, other_hash) = asked["jkeras"], asked["keras"]
    assert mine == other and other_hash in (None, its_hash)


def config(model):
    return json.loads(model.to_json().replace("jkeras", "keras"))["config"]


def paths(model):
    return [(v.path, tuple(v.shape), str(v.dtype)) for v in model.weights]


def filled(model):
    """Gives a model weights with which numbers stay of one size through all its layers."""
    rng = np.random.default_rng(0)

    def value(path, shape):
        # Keras's `set_weights` does not reach what was adapted
        if path.split("/")[-2].startswith("normalization"):
            return path.endswith("variance") * np.ones(shape)
        if path.endswith(("moving_variance", "gamma", "scale")):
            return rng.uniform(0.5, 1.5, shape)
        return rng.normal(0, np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.1, shape)

    model.set_weights([value(v.path, v.shape) for v in model.weights])


def same_structure(mine, other):
    assert [layer.name for layer in mine.layers] == [layer.name for layer in other.layers]
    assert paths(mine) == paths(other)
    assert config(mine) == config(other)
    assert [layer.output.shape for layer in mine.layers] == [
        layer.output.shape for layer in other.layers
    ]


# the smallest of each family, and what is made in a way of its own
SMALL = (
    *("ResNet50", "ResNet50V2", "DenseNet121", "Xception", "InceptionV3", "InceptionResNetV2"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Large", "NASNetMobile", "EfficientNetB0"),
    *("EfficientNetV2B0", "EfficientNetV2S bare", "ConvNeXtTiny", "ConvNeXtTiny bare"),
)


@pytest.mark.parametrize("name", in_turn(ARCHITECTURES, 10, ["VGG16"], SMALL))
def test_the_same_output_from_the_same_weights(name):
    least, options = ARCHITECTURES[name]
    mine, other = pair(
        name, input_shape=(least, least, 3), classes=5, classifier_activation=None, **options
    )
    same_structure(mine, other)
    filled(mine)
    other.set_weights(mine.get_weights())
    x = np.random.default_rng(1).uniform(0, 255, (2, least, least, 3)).astype("float32")
    wanted = other.predict(x, verbose=0)
    assert np.ptp(wanted) > 1e-3
    np.testing.assert_allclose(
        mine.predict(x, verbose=0), wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max()
    )


FAMILIES = (
    "VGG16",
    "ResNet50",
    "ResNet50V2",
    "Xception",
    "InceptionV3",
    "InceptionResNetV2",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "EfficientNetB0",
    "EfficientNetV2B0",
)
ONLY_CHANNELS_LAST = ("DenseNet121", "NASNetMobile", "ConvNeXtTiny")


@pytest.mark.parametrize(
    "name",
    in_turn(
        [*FAMILIES, *ONLY_CHANNELS_LAST, "NASNetLarge"],
        3,
        slow={*FAMILIES, *ONLY_CHANNELS_LAST} - {"NASNetMobile", "InceptionResNetV2"},
    ),
)
@pytest.mark.filterwarnings("ignore:There are trained weights for square images")
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")  # Keras's
def test_the_usual_arguments(name, asked):
    """The whole for images of the usual size; the body for images of any size, with both ways to
    pool.
    """
    same_structure(*pair(name, "imagenet"))
    same_file(asked)
    same_structure(*pair(name, "imagenet", include_top=False))
    same_file(asked)
    for pooling in ("avg", "max"):
        same_structure(*pair(name, include_top=False, pooling=pooling))


SIBLINGS = {
    name: {}
    for name, (_, options) in ARCHITECTURES.items()
    if not options and name not in (*FAMILIES, *ONLY_CHANNELS_LAST, "NASNetLarge")
}
SIBLINGS |= {
    f"{name} {alpha}": dict(alpha=alpha)
    for name, alpha in (
        ("MobileNet", 0.5),
        ("MobileNetV2", 1.3),
        ("MobileNetV3Small", 0.75),
        ("MobileNetV3Large", 1.0),
    )
}


@pytest.mark.promise("A file of weights that")
@pytest.mark.parametrize(
    "name",
    in_turn(
        SIBLINGS,
        8,
        slow=[
            "VGG19",
            "ResNet101",
            "ResNet101V2",
            "DenseNet169",
            "EfficientNetB1",
            "MobileNet 0.5",
        ],
    ),
)
@pytest.mark.filterwarnings("ignore:There are trained weights for square images")
@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")  # Keras's
def test_the_files_of_siblings(name, asked):
    for top in (True, False):
        pair(name, "imagenet", include_top=top, **SIBLINGS[name])
        same_file(asked)


@pytest.mark.parametrize("name", some_slow(FAMILIES, "VGG16"))
def test_channels_first(name, request):
    for library in (jkeras, keras):
        library.config.set_image_data_format("channels_first")
        request.addfinalizer(
            lambda library=library: library.config.set_image_data_format("channels_last")
        )
    same_structure(*pair(name))
