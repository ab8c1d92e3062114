"""A layer and a model written as Keras users write them, used through `fit` and as a pair of pure
functions.
"""

import jax
import jax.numpy as jnp

import jkeras
from jkeras import layers, ops
from jkeras.datasets import digits


class Gated(layers.Layer):
    """`sigmoid(x V) * (x W)`, with a penalty on gates that stand open."""

    def __init__(self, units, penalty=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.penalty = units, penalty

    def build(self, input_shape):
        shape = (input_shape[-1], self.units)
        self.value = self.add_weight(shape, name="value", initializer="he_normal")
        self.gate = self.add_weight(shape, name="gate", initializer="glorot_uniform")

    def call(self, x):
        gate = ops.sigmoid(x @ self.gate)
        self.add_loss(self.penalty * ops.mean(gate))
        return gate * (x @ self.value)


class Classifier(jkeras.Model):
    """A stack of gated layers, each added to what it was given."""

    def __init__(self, units=64, depth=2, classes=10):
        super().__init__()
        self.flatten = layers.Flatten()
        self.first = layers.Dense(units, activation="relu")
        self.blocks = [Gated(units) for _ in range(depth)]
        self.dropout = layers.Dropout(0.2)
        self.head = layers.Dense(classes)

    def call(self, x, training=False):
        x = self.first(self.flatten(x))
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.dropout(x, training=training))


def main(epochs=15):
    """Trains; prints and returns the test accuracy, and the same from the pure interface."""
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = x.astype("float32") / 16, x_test.astype("float32") / 16
    model = Classifier()
    model.compile(
        optimizer=jkeras.optimizers.AdamW(3e-3, weight_decay=1e-3),
        loss=jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, epochs=epochs, verbose=2)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)

    @jax.jit
    def logits(params, x):  # the object's arrays are handed over: nothing is hidden
        return model.apply(params, model.state, x, training=False)[0]

    pure = float(jnp.mean(jnp.argmax(logits(model.params, x_test), -1) == y_test))
    print(f"test accuracy: {accuracy:.4f}, from the pure function: {pure:.4f}")
    return accuracy, pure


if __name__ == "__main__":
    main()
