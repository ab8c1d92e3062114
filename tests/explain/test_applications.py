"""Grad-CAM of pretrained architectures within a model of one's own: as of the same model in one
piece. In Keras the graph of the inner model is disconnected from the outer one's.
"""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers
from tests.applications.test_architectures import ARCHITECTURES
from tests.thinning import in_turn

SLOW = ("ResNet50", "MobileNetV3Small", "ConvNeXtTiny")


@pytest.mark.parametrize("name", in_turn(ARCHITECTURES, 20, slow=SLOW))
def test_grad_cam_in_a_model_of_ones_own(name):
    side, options = ARCHITECTURES[name]
    side *= 2  # lest the last map be a single number
    make = getattr(jkeras.applications, name.split()[0])
    base = make(weights=None, include_top=False, input_shape=(side, side, 3), **options)
    last = [layer for layer in base.layers if len(layer.output.shape) == 4][-1]
    pool, head = layers.GlobalAveragePooling2D(), layers.Dense(3, kernel_initializer="ones")
    nested = jkeras.Sequential([jkeras.Input((side, side, 3)), base, pool, head])
    flat = jkeras.Model(base.input, head(pool(base.output)))
    x = np.random.default_rng(0).uniform(0, 255, (2, side, side, 3)).astype("float32")
    ours = explain.grad_cam(nested, x, 1, at=f"{base.name}/{last.name}")
    wanted = explain.grad_cam(flat, x, 1, at=last.name)
    assert ours.max() > 0 and ours[0].size > 1
    np.testing.assert_allclose(ours, wanted, rtol=1e-6, atol=1e-6 * wanted.max())
    jkeras.utils.clear_session()
    jax.clear_caches()
