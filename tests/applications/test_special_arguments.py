"""What single families have besides the common arguments, and the layers that only one of them
uses.
"""

import functools

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras.src.applications import convnext as keras_convnext

import jkeras
from jkeras.applications import convnext
from tests.applications.test_architectures import (
    asked,
    cheap_weights,
    pair,
    same_file,
    same_structure,
)

__all__ = ["asked", "cheap_weights"]  # fixtures
apps = jkeras.applications
IMAGENET = dict(weights="imagenet")


@pytest.mark.parametrize(
    "name, options, text",
    [
        (
            "MobileNet",
            dict(IMAGENET, alpha=0.3),
            r"one of `0.25`, `0.5`, `0.75`, `1.0`. Received: 0.3",
        ),
        ("MobileNet", dict(IMAGENET, depth_multiplier=2), "depth multiplier must be 1"),
        ("MobileNetV2", dict(IMAGENET, alpha=0.25), "one of `0.35`"),
        ("MobileNetV3Small", dict(IMAGENET, alpha=0.5), "one of `0.75`, `1.0`."),
        ("MobileNetV3Large", dict(IMAGENET, alpha=0.75, minimalistic=True), "one of `1.0`."),
        ("MobileNetV3Small", dict(weights=None, input_shape=(31, 64, 3)), "at least 32x32"),
        ("ConvNeXtTiny", dict(IMAGENET, name="mine"), "Received: the name 'mine'"),
    ],
)
def test_what_does_not_go_together(name, options, text):
    with pytest.raises(ValueError, match=text):
        getattr(apps, name)(**options)
    with pytest.raises(ValueError):
        getattr(keras.applications, name)(**options)


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small"])
def test_a_tensor_of_another_shape(name):
    for library in (jkeras, keras):
        with pytest.raises(ValueError, match="must equal"):
            getattr(library.applications, name)(
                weights=None, input_tensor=library.Input((64, 64, 3)), input_shape=(32, 32, 3)
            )


def test_convnext_wants_the_channels_last(request):
    request.addfinalizer(lambda: jkeras.config.set_image_data_format("channels_last"))
    jkeras.config.set_image_data_format("channels_first")
    with pytest.raises(ValueError, match="does not support the `channels_first`"):
        apps.ConvNeXtTiny(weights=None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options",
    [
        *[
            ("MobileNet", dict(alpha=alpha, input_shape=(side, side, 3), include_top=top))
            for alpha, side, top in (
                (0.25, 128, True),
                (0.5, 160, False),
                (0.75, 192, True),
                (1.0, 224, False),
            )
        ],
        *[
            ("MobileNetV2", dict(alpha=alpha, input_shape=(side, side, 3), include_top=top))
            for alpha, side, top in (
                (0.35, 96, True),
                (0.5, 128, False),
                (0.75, 160, True),
                (1.3, 192, False),
                (1.4, 224, True),
            )
        ],
        *[
            (
                f"MobileNetV3{size}",
                dict(
                    alpha=alpha, minimalistic=alpha == 1, include_top=top, input_shape=(224, 224, 3)
                ),
            )
            for size in ("Small", "Large")
            for alpha in (0.75, 1.0)
            for top in (True, False)
        ],
    ],
)
def test_each_width_and_size_has_its_file_of_weights(asked, name, options):
    same_structure(*pair(name, "imagenet", **options))
    same_file(asked)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV2"])
def test_weights_for_images_of_another_size(asked, name):
    for library in (jkeras, keras):
        with pytest.warns(UserWarning, match="loaded as the default"):
            model = getattr(library.applications, name)(input_shape=(64, 96, 3), include_top=False)
        assert model.name.endswith("_1.00_224")
    same_file(asked)


@pytest.mark.slow
@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize(
    "name", ["MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetV2B0", "ConvNeXtTiny"]
)
def test_on_top_of_other_layers(name, top):
    made = []
    for library in (jkeras, keras):
        library.utils.clear_session(free_memory=False)
        images = library.layers.Rescaling(2.0)(library.Input((96, 96, 3), name="images"))
        made.append(
            getattr(library.applications, name)(weights=None, input_tensor=images, include_top=top)
        )
    assert made[0].name == made[1].name
    same_structure(*made)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny"]
)
def test_gray_images(name):
    same_structure(*pair(name, include_top=False, input_shape=(40, 48, 1)))


@pytest.mark.slow
def test_what_efficientnet_has_learnt_of_the_images(tmp_path):
    """Mean and variance come from the file of weights."""
    mine, other = pair("EfficientNetB0", include_top=False, input_shape=(32, 32, 3), pooling="avg")
    rng = np.random.default_rng(0)
    mine.set_weights([rng.uniform(0.1, 0.3, v.shape) for v in mine.weights])
    mine.save_weights(tmp_path / "x.weights.h5")
    other.load_weights(tmp_path / "x.weights.h5")
    x = rng.uniform(0, 255, (1, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(mine.predict(x, verbose=0), other.predict(x, verbose=0), rtol=1e-4)


def small(library, layers):
    """A model of the two layers that are ConvNeXt's own."""
    x = inputs = library.Input((3, 4))
    for layer in (
        layers.LayerScale(0.5, 4, name="scale"),
        layers.StochasticDepth(0.25, name="depth"),
    ):
        x = layer(x)
    return library.Model(inputs, x)


@pytest.mark.parametrize("way", ["from Keras", "to Keras"])
def test_files_with_the_layers_of_convnext(tmp_path, way):
    pairs = [(jkeras, convnext), (keras, keras_convnext)]
    (writer, layers), (reader, _) = pairs if way == "to Keras" else reversed(pairs)
    model = small(writer, layers)
    model.set_weights([np.arange(4.0)])
    model.save(tmp_path / "x.keras")
    loaded = reader.saving.load_model(tmp_path / "x.keras")
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_allclose(np.asarray(loaded(x)), x * np.arange(4), rtol=1e-6)
    assert loaded.get_layer("depth").drop_path_rate == 0.25
    assert loaded.get_layer("scale").init_values == 0.5


def test_stochastic_depth_drops_whole_examples():
    layer = convnext.StochasticDepth(0.25)
    y = np.asarray(layer(np.ones((4000, 2, 3), "float32"), training=True))
    kept = y[:, 0, 0] > 0
    np.testing.assert_allclose(
        y, np.where(kept, 4 / 3, 0)[:, None, None] * np.ones((1, 2, 3)), rtol=1e-6
    )
    assert abs(kept.mean() - 0.75) < 0.05


def test_stochastic_depth_as_a_pure_pair():
    layer, x = convnext.StochasticDepth(0.5), np.ones((64, 3), "float32")
    params, state = layer.init(jax.random.key(0), x)
    once, again, other = (
        jax.jit(functools.partial(layer.apply, training=True))(params, state, x, rng=key)[0]
        for key in jax.random.split(jax.random.key(1))[jnp.array([0, 0, 1])]
    )
    assert np.array_equal(once, again) and not np.array_equal(once, other)


def test_layer_scale_as_a_pure_pair():
    layer = convnext.LayerScale(0.5, 3)
    params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 3), "float32"))
    y, _ = layer.apply(params, state, np.ones((2, 3), "float32"))
    assert list(params) == ["gamma"] and np.array_equal(y, np.full((2, 3), 0.5))
