"""A module of Flax inside a Keras model: trained by `fit`, with its own batch statistics and
dropout.

`FlaxLayer` takes any `flax.linen` module. Its collection "params" is trained, its other collections
are state, and a module whose `__call__` has `training` is told. So code that exists in Flax, or
weights that do, need not be written again. Needs `pip install flax`. Run it with `python
examples/flax_module.py`.
"""

import flax.linen as nn
import jax
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits


class Residual(nn.Module):
    """A residual block as Flax users write it."""

    features: int

    @nn.compact
    def __call__(self, inputs, training):
        x = nn.Conv(self.features, (3, 3))(inputs)
        x = nn.BatchNorm(use_running_average=not training, momentum=0.9)(x)
        x = nn.Dropout(0.1, deterministic=not training)(nn.relu(x))
        return inputs + nn.Conv(self.features, (3, 3))(x)


def build_model(variables=None):
    """Layers of jkeras around two Flax modules; the first one may begin with weights that Flax
    has.
    """
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(24, 3, padding="same", activation="relu"),
            layers.FlaxLayer(Residual(24), variables=variables, name="residual_1"),
            layers.MaxPooling2D(2),
            layers.FlaxLayer(Residual(24), name="residual_2"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        jkeras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def main(epochs=10):
    """Trains; prints and returns the test accuracy, and how far the layer is from the same module
    in Flax itself.
    """
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = (part[..., None].astype("float32") for part in (x, x_test))
    features = np.random.default_rng(0).normal(size=(4, 8, 8, 24)).astype("float32")
    variables = Residual(24).init(jax.random.key(0), features, training=False)
    model = build_model(variables)
    in_flax = Residual(24).apply(variables, features, training=False)
    difference = float(np.abs(in_flax - model.get_layer("residual_1")(features)).max())

    model.fit(x, y, epochs=epochs, verbose=0)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"test accuracy: {accuracy:.4f}; largest difference to Flax itself: {difference:.1e}")
    return accuracy, difference


if __name__ == "__main__":
    main()
