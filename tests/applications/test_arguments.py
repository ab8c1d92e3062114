"""The arguments that all architectures have: what goes together, and what is refused."""

import importlib

import keras
import numpy as np
import pytest

import jkeras
from tests.thinning import some_slow

VGG16 = jkeras.applications.VGG16


@pytest.mark.parametrize(
    "options, text",
    [
        (dict(weights="nowhere.h5"), "path to the weights file"),
        (dict(weights="imagenet", classes=10), "`classes` should be 1000"),
        (dict(weights="imagenet", input_shape=(225, 224, 3)), r"of shape \(224, 224, 3\) alone"),
        (
            dict(weights="imagenet", include_top=False, input_shape=(64, 64, 1)),
            "must have 3 channels",
        ),
        (dict(weights=None, input_shape=(31, 64, 3)), "at least 32x32"),
        (dict(weights=None, input_shape=(None, 64, 3)), "`input_shape` without None"),
        (dict(weights=None, input_shape=(64, 64)), "three whole numbers"),
        (dict(weights=None, input_tensor="images"), "should be a tensor"),
    ],
)
def test_what_does_not_go_together(options, text):
    with pytest.raises(ValueError, match=text):
        VGG16(**options)
    if "input_tensor" not in options:
        with pytest.raises(ValueError):
            keras.applications.VGG16(**options)


def test_weights_do_not_go_with_every_activation(tmp_path):
    small = dict(input_shape=(32, 32, 3), classes=2)
    VGG16(weights=None, **small, classifier_activation="relu")
    (tmp_path / "x.weights.h5").touch()
    with pytest.raises(ValueError, match="only `None` and `softmax` activations"):
        VGG16(weights=str(tmp_path / "x.weights.h5"), **small, classifier_activation="relu")


@pytest.mark.parametrize("name", ["DenseNet121", "NASNetMobile"])
def test_only_channels_last(name, request):
    for library in (jkeras, keras):
        library.config.set_image_data_format("channels_first")
        request.addfinalizer(
            lambda library=library: library.config.set_image_data_format("channels_last")
        )
        with pytest.raises(
            ValueError, match="does not support the `channels_first` image data format"
        ):
            getattr(library.applications, name)(weights=None)


def test_nasnet_with_trained_weights_wants_the_whole_shape():
    for library in (jkeras, keras):
        with pytest.raises(ValueError, match="must be static"):
            library.applications.NASNetLarge(include_top=False, input_shape=(None, 64, 3))


@pytest.mark.parametrize("name", ["VGG16", "Xception", "MobileNet"])
def test_odd_channels_are_warned_of(name):
    """At the line of the caller, however an architecture is made."""
    make = getattr(jkeras.applications, name)
    with pytest.warns(UserWarning, match="1 or 3 input channels") as warned:
        model = make(weights=None, include_top=False, input_shape=(72, 72, 2))
    assert model.input_shape == (None, 72, 72, 2)
    assert [one.filename for one in warned] == [__file__]


@pytest.mark.promise("A file of weights that")
@pytest.mark.parametrize("ending", some_slow([".weights.h5", ".keras", ".h5"], ".keras"))
@pytest.mark.filterwarnings("ignore:.*legacy")
def test_weights_from_a_file_of_keras(tmp_path, ending):
    """Of the body, whatever classifier stood on it."""
    body = dict(include_top=False, input_shape=(32, 32, 3), pooling="avg")
    other = keras.applications.VGG16(weights=None, **body)
    path = str(tmp_path / f"x{ending}")
    (other.save_weights if "weights" in ending else other.save)(path)
    mine = VGG16(weights=path, **body)
    x = np.random.default_rng(0).uniform(0, 1, (1, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(
        mine.predict(x, verbose=0), other.predict(x, verbose=0), rtol=1e-4, atol=1e-5
    )


def test_the_layer_of_inception_resnet_in_files(tmp_path):
    """A layer that is not public: either library finds its own in the other's file."""
    x, y = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    for library, other in ((jkeras, keras), (keras, jkeras)):
        module = importlib.import_module(
            f"{'keras.src' if library is keras else 'jkeras'}.applications.inception_resnet_v2"
        )
        inputs = [library.Input((4,)), library.Input((4,))]
        library.Model(inputs, module.CustomScaleLayer(0.5, name="scale")(inputs)).save(
            tmp_path / "x.keras"
        )
        model = other.saving.load_model(tmp_path / "x.keras")
        np.testing.assert_allclose(model.predict([x, y], verbose=0), x + 0.5 * y, rtol=1e-6)


@pytest.mark.promise("Without the classifier")
def test_on_top_of_other_layers():
    x = jkeras.Input((40, 40, 1), name="gray")
    three = jkeras.layers.Concatenate()([x, x, x])
    model = VGG16(weights=None, include_top=False, input_tensor=three)
    assert [layer.name for layer in model.layers[:3]] == ["gray", "concatenate", "block1_conv1"]
    assert model.input_shape == (None, 40, 40, 1) and model.output_shape == (None, 1, 1, 512)


@pytest.mark.parametrize("kind", ["numpy", "tensor"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("rank", [3, 4])
def test_images_as_keras_prepares_them(mode, data_format, rank, kind):
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 3, 3)[4 - rank :]).astype("float32")
    results = []
    for library in (jkeras, keras):
        given = x.copy() if kind == "numpy" else library.ops.convert_to_tensor(x)
        results.append(
            np.asarray(
                library.applications.imagenet_utils.preprocess_input(given, data_format, mode)
            )
        )
    assert results[0].dtype == results[1].dtype
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-4)


def test_integers_and_tensors_of_a_graph():
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3)).astype("uint8")
    mine = jkeras.applications.vgg16.preprocess_input(x)
    np.testing.assert_allclose(
        mine, keras.applications.vgg16.preprocess_input(x), rtol=1e-5, atol=1e-4
    )
    image = jkeras.Input((3, 3, 3))
    model = jkeras.Model(image, jkeras.applications.vgg16.preprocess_input(image))
    np.testing.assert_allclose(
        model.predict(x.astype("float32"), verbose=0), mine, rtol=1e-5, atol=1e-4
    )
    for wrong in (dict(mode="x"), dict(data_format="x")):
        with pytest.raises(ValueError, match="Expected (mode|data_format) to be one of"):
            jkeras.applications.imagenet_utils.preprocess_input(x, **wrong)


def test_predictions_of_another_shape():
    for shape in ((2, 10), (1000,)):
        with pytest.raises(ValueError, match=r"\(images, 1000\)"):
            jkeras.applications.imagenet_utils.decode_predictions(np.zeros(shape))
